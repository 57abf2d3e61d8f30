#include "engine/kernels/column_sum.h"

#include "cuda/each.h"
#include "cuda/workspace.h"

namespace lk {
namespace {

constexpr int kWarps = 8;

// A lane sums N columns; the warps of a block and the blocks of a column of the grid share the
// rows. sum: [gridDim.y, cols].
template <int N, class T>
__global__ void __launch_bounds__(kWarp* kWarps)
    column_sum_kernel(float* sum, const T* x, int64_t rows, int64_t cols) {
  __shared__ float partial[kWarps][N][kWarp];
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
  const int64_t j = (static_cast<int64_t>(blockIdx.x) * kWarp + lane) * N;
  float total[N] = {};
  if (j < cols)
    for (int64_t i = static_cast<int64_t>(blockIdx.y) * kWarps + warp; i < rows;
         i += static_cast<int64_t>(gridDim.y) * kWarps) {
      const Elements<T, N> e = load<N>(x + i * cols + j);
#pragma unroll
      for (int k = 0; k < N; ++k) total[k] += static_cast<float>(e.at[k]);
    }
#pragma unroll
  for (int k = 0; k < N; ++k) partial[warp][k][lane] = total[k];
  __syncthreads();
  if (warp != 0 || j >= cols) return;
  Elements<float, N> result;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    result.at[k] = 0.0f;
    for (int w = 0; w < kWarps; ++w) result.at[k] += partial[w][k][lane];
  }
  store<N>(sum + static_cast<int64_t>(blockIdx.y) * cols + j, result);
}

template <class T>
void sum_rows(Cuda cuda, float* sum, const T* x, int64_t rows, int64_t cols, int64_t pieces) {
  constexpr int N = kPackSize<T>;
  const bool packed = cols % N == 0 && aligned_16(x) && aligned_16(sum);
  const int64_t width = kWarp * (packed ? N : 1);
  launch(packed ? column_sum_kernel<N, T> : column_sum_kernel<1, T>,
         dim3(static_cast<unsigned>((cols + width - 1) / width), static_cast<unsigned>(pieces)),
         dim3(kWarp, kWarps), 0, cuda.stream, sum, x, rows, cols);
}

}  // namespace

template <class Isa, class T>
void column_sum(Isa cuda, acc_t<T>* sum, const T* x, int64_t rows, int64_t cols) {
  if (cols == 0) return;
  // Pieces of at least 128 rows, so that the second pass over their sums costs little.
  const int64_t pieces = grid_for(rows / 128, 2);
  if (pieces == 1) return sum_rows(cuda, sum, x, rows, cols, 1);
  const Workspace<float> partial(cuda, pieces * cols);
  sum_rows(cuda, partial.data(), x, rows, cols, pieces);
  sum_rows(cuda, sum, static_cast<const float*>(partial.data()), pieces, cols, 1);
}

template void column_sum(Cuda, float*, const float*, int64_t, int64_t);
template void column_sum(Cuda, float*, const bf16*, int64_t, int64_t);

}  // namespace lk
