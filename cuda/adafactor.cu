// Bound by memory; sums run in double and in a fixed order.
#include "engine/kernels/adafactor.h"

#include "cuda/each.h"
#include "cuda/workspace.h"

namespace lk {
namespace {

constexpr double kEps = 1e-30;
constexpr int kWarps = kEachThreads / kWarp;
// What a block sums of a matrix; whatever the device, so that the bits are the same.
constexpr int kTileRows = 128, kTileCols = 256;

__device__ __forceinline__ double square(float x) {
  return static_cast<double>(x) * static_cast<double>(x) + kEps;
}
__device__ __forceinline__ float moved(float state, double beta2, double sum, int64_t count) {
  return static_cast<float>(beta2 * static_cast<double>(state) +
                            (1 - beta2) * sum / static_cast<double>(count));
}

__host__ __device__ inline int64_t tiles(int64_t n, int tile) { return (n + tile - 1) / tile; }

// The sums of a tile's rows and columns, g read once. A lane has kTileCols / 32 columns, the warps
// take the rows in turn. row_sums: [tiles across, rows], column_sums: [tiles down, cols].
template <int N>
__global__ void __launch_bounds__(kEachThreads)
    tile_sums_kernel(double* row_sums, double* column_sums, const float* g, int64_t rows,
                     int64_t cols) {
  constexpr int kPacks = kTileCols / kWarp / N;
  // Four more of a row: four lanes' sums of four columns, which are read together, lie in 16 banks.
  __shared__ double of_rows[kTileRows], of_columns[kWarps][kPacks * N][kWarp + 4];
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t across = tiles(cols, kTileCols), tile_j = blockIdx.x % across,
                tile_i = blockIdx.x / across, i0 = tile_i * kTileRows,
                j0 = tile_j * kTileCols + lane * N;
  const auto each_pack = [&](auto f) {
#pragma unroll
    for (int k = 0; k < kPacks; ++k)
      if (const int64_t j = j0 + k * kWarp * N; j < cols) f(k, j);
  };
  double by_column[kPacks * N] = {};
  for (int i = warp; i < kTileRows && i0 + i < rows; i += kWarps) {
    double by_row = 0;
    each_pack([&](int k, int64_t j) {
      const Elements<float, N> e = load<N>(g + (i0 + i) * cols + j);
#pragma unroll
      for (int c = 0; c < N; ++c) {
        const double x = square(e.at[c]);
        by_row += x;
        by_column[k * N + c] += x;
      }
    });
    by_row = warp_reduce(by_row, Sum{});
    if (lane == 0) of_rows[i] = by_row;
  }
#pragma unroll
  for (int k = 0; k < kPacks * N; ++k) of_columns[warp][k][lane] = by_column[k];
  __syncthreads();
  // A thread has a row, and a column.
  const int t = static_cast<int>(threadIdx.x);
  if (t < kTileRows && i0 + t < rows) row_sums[tile_j * rows + i0 + t] = of_rows[t];
  const int64_t j = tile_j * kTileCols + t;
  if (j >= cols) return;
  double sum = 0;
  const int k = t / (kWarp * N) * N + t % N, owner = t / N % kWarp;
  for (int w = 0; w < kWarps; ++w) sum += of_columns[w][k][owner];
  column_sums[tile_i * cols + j] = sum;
}

// What becomes of n states, with the sums [parts, n] of `count` squares.
struct Means {
  float* state;
  const double* sums;
  int64_t n, parts, count;
};

// A lane has a state, the warps of a block share its parts. The first blocks have the rows' states.
__global__ void __launch_bounds__(kEachThreads)
    means_kernel(Means of_rows, Means of_columns, double beta2) {
  __shared__ double partial[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t row_blocks = tiles(of_rows.n, kWarp), block = blockIdx.x;
  const Means m = block < row_blocks ? of_rows : of_columns;
  const int64_t i = (block < row_blocks ? block : block - row_blocks) * kWarp + lane;
  double sum = 0;
  if (i < m.n)
    for (int64_t p = warp; p < m.parts; p += kWarps) sum += m.sums[p * m.n + i];
  partial[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || i >= m.n) return;
  for (int w = 1; w < kWarps; ++w) sum += partial[w][lane];
  m.state[i] = moved(m.state[i], beta2, sum, m.count);
}

// A warp takes a row.
template <int N>
__global__ void __launch_bounds__(kEachThreads)
    factored_kernel(double* u, const float* g, const float* r, const float* c, double r_mean,
                    int64_t rows, int64_t cols) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kWarps;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp; i < rows;
       i += stride) {
    const double by_row = sqrt(static_cast<double>(r[i]) / r_mean);
    for (int64_t j = lane * N; j < cols; j += kWarp * N) {
      const Elements<float, N> gradient = load<N>(g + i * cols + j), by_column = load<N>(c + j);
      Elements<double, N> update;
#pragma unroll
      for (int k = 0; k < N; ++k)
        update.at[k] = static_cast<double>(gradient.at[k]) / by_row /
                       sqrt(static_cast<double>(by_column.at[k]));
      store<N>(u + i * cols + j, update);
    }
  }
}

template <int N>
__global__ void __launch_bounds__(kEachThreads, 4)
    whole_kernel(double* u, float* s, const float* g, int64_t n, double beta2) {
  for_packs<N>(n, [&]<int K>(int64_t i) {
    Elements<float, K> state = load<K>(s + i);
    const Elements<float, K> gradient = load<K>(g + i);
    Elements<double, K> update;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      state.at[k] = moved(state.at[k], beta2, square(gradient.at[k]), 1);
      update.at[k] = static_cast<double>(gradient.at[k]) / sqrt(static_cast<double>(state.at[k]));
    }
    store<K>(s + i, state);
    store<K>(u + i, update);
  });
}

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    apply_kernel(float* p, const double* u, int64_t n, double keep, double rate) {
  for_packs<N>(n, [&]<int K>(int64_t i) {
    Elements<float, K> value = load<K>(p + i);
    const Elements<double, K> update = load<K>(u + i);
#pragma unroll
    for (int k = 0; k < K; ++k)
      value.at[k] =
          static_cast<float>(static_cast<double>(value.at[k]) * keep - rate * update.at[k]);
    store<K>(p + i, value);
  });
}

// Two doubles are 16 bytes.
constexpr int kPair = common_pack<float, double>();

}  // namespace

template <class Isa, class A>
void adafactor_means(Isa cuda, float* r, float* c, const A* g, int64_t rows, int64_t cols,
                     double beta2) {
  if (rows == 0 || cols == 0) return;
  const int64_t across = tiles(cols, kTileCols), down = tiles(rows, kTileRows);
  const Workspace<double> sums(cuda, across * rows + down * cols);
  double *const of_rows = sums.data(), *const of_columns = of_rows + across * rows;
  const bool packed = cols % 4 == 0 && aligned_16(g);
  launch(packed ? tile_sums_kernel<4> : tile_sums_kernel<1>, static_cast<unsigned>(across * down),
         kEachThreads, 0, cuda.stream, of_rows, of_columns, g, rows, cols);
  launch(means_kernel, static_cast<unsigned>(tiles(rows, kWarp) + tiles(cols, kWarp)), kEachThreads,
         0, cuda.stream, Means{r, of_rows, rows, across, cols},
         Means{c, of_columns, cols, down, rows}, beta2);
}
template <class Isa, class A>
void adafactor_factored(Isa cuda, double* u, const A* g, const float* r, const float* c,
                        double r_mean, int64_t rows, int64_t cols) {
  if (rows == 0 || cols == 0) return;
  const bool packed = cols % kPair == 0 && aligned_16(u) && aligned_16(g) && aligned_16(c);
  launch(packed ? factored_kernel<kPair> : factored_kernel<1>, grid_for_threads(rows * kWarp),
         kEachThreads, 0, cuda.stream, u, g, r, c, r_mean, rows, cols);
}
template <class Isa, class A>
void adafactor_whole(Isa cuda, double* u, float* s, const A* g, int64_t n, double beta2) {
  if (n == 0) return;
  const bool packed = aligned_16(u) && aligned_16(s) && aligned_16(g);
  launch(packed ? whole_kernel<kPair> : whole_kernel<1>, grid_for_packs(n, packed ? kPair : 1),
         kEachThreads, 0, cuda.stream, u, s, g, n, beta2);
}
template <class Isa, class A>
void adafactor_apply(Isa cuda, A* p, const double* u, int64_t n, double keep, double rate) {
  if (n == 0) return;
  const bool packed = aligned_16(p) && aligned_16(u);
  launch(packed ? apply_kernel<kPair> : apply_kernel<1>, grid_for_packs(n, packed ? kPair : 1),
         kEachThreads, 0, cuda.stream, p, u, n, keep, rate);
}

template void adafactor_means(Cuda, float*, float*, const float*, int64_t, int64_t, double);
template void adafactor_factored(Cuda, double*, const float*, const float*, const float*, double,
                                 int64_t, int64_t);
template void adafactor_whole(Cuda, double*, float*, const float*, int64_t, double);
template void adafactor_apply(Cuda, float*, const double*, int64_t, double, double);

}  // namespace lk
