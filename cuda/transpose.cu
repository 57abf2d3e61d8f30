// Squares of 32 by 32 go through shared memory, so that both sides are read and written along their
// rows.
#include "engine/kernels/transpose.h"

#include "cuda/each.h"

namespace lk {
namespace {

constexpr int kSquare = 32, kRowsAtOnce = 8;

template <class T>
__global__ void __launch_bounds__(kSquare* kRowsAtOnce)
    transpose_kernel(T* y, const T* x, int64_t count, int64_t rows, int64_t cols) {
  // A pitch of an odd number of words (of f64: of pairs): a column's elements lie in different
  // banks.
  __shared__ T square[kSquare][kSquare + (sizeof(T) < 4 ? 2 : 1)];
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int64_t down = (rows + kSquare - 1) / kSquare, across = (cols + kSquare - 1) / kSquare;
  for (int64_t s = blockIdx.x; s < count * down * across; s += gridDim.x) {
    const int64_t b = s / (down * across), i0 = s / across % down * kSquare,
                  j0 = s % across * kSquare;
    const T* from = x + b * rows * cols;
    T* to = y + b * rows * cols;
    for (int i = ty; i < kSquare; i += kRowsAtOnce)
      if (i0 + i < rows && j0 + tx < cols) square[i][tx] = from[(i0 + i) * cols + j0 + tx];
    __syncthreads();
    for (int j = ty; j < kSquare; j += kRowsAtOnce)
      if (j0 + j < cols && i0 + tx < rows) to[(j0 + j) * rows + i0 + tx] = square[tx][j];
    __syncthreads();
  }
}

}  // namespace

template <class Isa, class T>
void transpose(Isa cuda, T* y, const T* x, int64_t count, int64_t rows, int64_t cols) {
  if (count == 0 || rows == 0 || cols == 0) return;
  const int64_t squares =
      count * ((rows + kSquare - 1) / kSquare) * ((cols + kSquare - 1) / kSquare);
  launch(transpose_kernel<T>, grid_for(squares), dim3(kSquare, kRowsAtOnce), 0, cuda.stream, y, x,
         count, rows, cols);
}

template void transpose(Cuda, float*, const float*, int64_t, int64_t, int64_t);
template void transpose(Cuda, double*, const double*, int64_t, int64_t, int64_t);
template void transpose(Cuda, bf16*, const bf16*, int64_t, int64_t, int64_t);

}  // namespace lk
