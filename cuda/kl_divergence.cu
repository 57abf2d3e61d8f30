// A block takes a row: one pass for both log sums, a second one for the loss and dx.
#include "engine/kernels/kl_divergence.h"

#include "cuda/each.h"

namespace lk {
namespace {

// exp of doubles added up beside their running maximum; of nothing: -inf and 0.
struct LogSum {
  double max = -INFINITY, sum = 0;
  __device__ __forceinline__ void add(double value) {
    if (value == -INFINITY) return;
    const double top = Maximum{}(value, max);
    sum = sum * exp(max - top) + exp(value - top);
    max = top;
  }
  // Of the block's threads together.
  __device__ __forceinline__ double of_block(double* scratch) const {
    const double top = block_reduce<kEachThreads>(max, scratch, Maximum{});
    const double mine = max == -INFINITY ? 0.0 : sum * exp(max - top);
    return top + log(block_reduce<kEachThreads>(mine, scratch, Sum{}));
  }
};

template <class T>
__device__ __forceinline__ double as_double(T x) {
  return static_cast<double>(static_cast<acc_t<T>>(x));
}

template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    kl_divergence_kernel(T* dx, double* loss, const T* x, const T* t, int64_t rows,
                         int64_t classes) {
  __shared__ double scratch[kEachThreads / kWarp];
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const T *xi = x + i * classes, *ti = t + i * classes;
    LogSum x_sum, t_sum;
    for (int64_t j = threadIdx.x * N; j < classes; j += kEachThreads * N) {
      const Elements<T, N> ex = load<N>(xi + j), et = load<N>(ti + j);
#pragma unroll
      for (int k = 0; k < N; ++k) x_sum.add(as_double(ex.at[k])), t_sum.add(as_double(et.at[k]));
    }
    const double of_x = x_sum.of_block(scratch), of_t = t_sum.of_block(scratch);
    double total = 0;
    for (int64_t j = threadIdx.x * N; j < classes; j += kEachThreads * N) {
      const Elements<T, N> ex = load<N>(xi + j), et = load<N>(ti + j);
      Elements<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const double log_q = as_double(ex.at[k]) - of_x, log_p = as_double(et.at[k]) - of_t;
        const double p = exp(log_p);
        total += p * (log_p - log_q);
        out.at[k] = T(static_cast<float>(exp(log_q) - p));
      }
      store<N>(dx + i * classes + j, out);
    }
    total = block_reduce<kEachThreads>(total, scratch, Sum{});
    if (threadIdx.x == 0) loss[i] = total;
  }
}

}  // namespace

template <class Isa, class T>
void kl_divergence(Isa cuda, T* dx, double* loss, const T* x, const T* t, int64_t rows,
                   int64_t classes) {
  if (rows == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed = classes % N == 0 && aligned_16(dx) && aligned_16(x) && aligned_16(t);
  launch(packed ? kl_divergence_kernel<N, T> : kl_divergence_kernel<1, T>, grid_for(rows),
         kEachThreads, 0, cuda.stream, dx, loss, x, t, rows, classes);
}

template void kl_divergence(Cuda, float*, double*, const float*, const float*, int64_t, int64_t);
template void kl_divergence(Cuda, bf16*, double*, const bf16*, const bf16*, int64_t, int64_t);

}  // namespace lk
