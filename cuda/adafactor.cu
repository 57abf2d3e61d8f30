// Bound by memory; sums run in double and in a fixed order.
#include "engine/kernels/adafactor.h"

#include "cuda/each.h"

namespace lk {
namespace {

constexpr double kEps = 1e-30;
constexpr int kWarps = kEachThreads / kWarp;

__device__ __forceinline__ double square(float x) {
  return static_cast<double>(x) * static_cast<double>(x) + kEps;
}
__device__ __forceinline__ float moved(float state, double beta2, double sum, int64_t count) {
  return static_cast<float>(beta2 * static_cast<double>(state) +
                            (1 - beta2) * sum / static_cast<double>(count));
}

// A warp takes a row.
__global__ void __launch_bounds__(kEachThreads)
    row_means_kernel(float* r, const float* g, int64_t rows, int64_t cols, double beta2) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp; i < rows;
       i += stride) {
    double sum = 0;
    for (int64_t j = lane; j < cols; j += kWarp) sum += square(g[i * cols + j]);
    sum = warp_reduce(sum, Sum{});
    if (lane == 0) r[i] = moved(r[i], beta2, sum, cols);
  }
}

// A lane takes a column, the warps of a block share its rows.
__global__ void __launch_bounds__(kEachThreads)
    column_means_kernel(float* c, const float* g, int64_t rows, int64_t cols, double beta2) {
  __shared__ double partial[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t j = static_cast<int64_t>(blockIdx.x) * kWarp + lane;
  double sum = 0;
  if (j < cols)
    for (int64_t i = warp; i < rows; i += kWarps) sum += square(g[i * cols + j]);
  partial[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || j >= cols) return;
  for (int w = 1; w < kWarps; ++w) sum += partial[w][lane];
  c[j] = moved(c[j], beta2, sum, rows);
}

__global__ void __launch_bounds__(kEachThreads)
    factored_kernel(double* u, const float* g, const float* r, const float* c, double r_mean,
                    int64_t rows, int64_t cols) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp; i < rows;
       i += stride) {
    const double by_row = sqrt(static_cast<double>(r[i]) / r_mean);
    for (int64_t j = lane; j < cols; j += kWarp)
      u[i * cols + j] =
          static_cast<double>(g[i * cols + j]) / by_row / sqrt(static_cast<double>(c[j]));
  }
}

__global__ void __launch_bounds__(kEachThreads)
    whole_kernel(double* u, float* s, const float* g, int64_t n, double beta2) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; i < n;
       i += stride) {
    const float state = moved(s[i], beta2, square(g[i]), 1);
    s[i] = state;
    u[i] = static_cast<double>(g[i]) / sqrt(static_cast<double>(state));
  }
}

__global__ void __launch_bounds__(kEachThreads)
    apply_kernel(float* p, const double* u, int64_t n, double keep, double rate) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; i < n;
       i += stride)
    p[i] = static_cast<float>(static_cast<double>(p[i]) * keep - rate * u[i]);
}

}  // namespace

template <class Isa, class A>
void adafactor_means(Isa cuda, float* r, float* c, const A* g, int64_t rows, int64_t cols,
                     double beta2) {
  if (rows == 0 || cols == 0) return;
  launch(row_means_kernel, grid_for_threads(rows * kWarp), kEachThreads, 0, cuda.stream, r, g, rows,
         cols, beta2);
  launch(column_means_kernel, static_cast<unsigned>((cols + kWarp - 1) / kWarp), kEachThreads, 0,
         cuda.stream, c, g, rows, cols, beta2);
}
template <class Isa, class A>
void adafactor_factored(Isa cuda, double* u, const A* g, const float* r, const float* c,
                        double r_mean, int64_t rows, int64_t cols) {
  if (rows > 0 && cols > 0)
    launch(factored_kernel, grid_for_threads(rows * kWarp), kEachThreads, 0, cuda.stream, u, g, r,
           c, r_mean, rows, cols);
}
template <class Isa, class A>
void adafactor_whole(Isa cuda, double* u, float* s, const A* g, int64_t n, double beta2) {
  if (n > 0)
    launch(whole_kernel, grid_for_threads(n), kEachThreads, 0, cuda.stream, u, s, g, n, beta2);
}
template <class Isa, class A>
void adafactor_apply(Isa cuda, A* p, const double* u, int64_t n, double keep, double rate) {
  if (n > 0)
    launch(apply_kernel, grid_for_threads(n), kEachThreads, 0, cuda.stream, p, u, n, keep, rate);
}

template void adafactor_means(Cuda, float*, float*, const float*, int64_t, int64_t, double);
template void adafactor_factored(Cuda, double*, const float*, const float*, const float*, double,
                                 int64_t, int64_t);
template void adafactor_whole(Cuda, double*, float*, const float*, int64_t, double);
template void adafactor_apply(Cuda, float*, const double*, int64_t, double, double);

}  // namespace lk
