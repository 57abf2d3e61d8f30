// Squares go through shared memory, so that both sides are read and written along their rows.
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

// Where rows of both sides are whole packs: a square's rows are 128 bytes, a thread reads and
// writes 16 of them.
template <class T>
struct Packed {
  static constexpr int kPack = kPackSize<T>, kSide = 8 * kPack;
  // Columns in a word of shared memory; a thread makes a pack of each.
  static constexpr int kWord = sizeof(T) < 4 ? 4 / static_cast<int>(sizeof(T)) : 1;
  static constexpr int kThreads = 8 * kSide / kWord;
};

template <class T>
__global__ void __launch_bounds__(Packed<T>::kThreads, 5)
    transpose_packed_kernel(T* y, const T* x, int64_t count, int64_t rows, int64_t cols) {
  constexpr int kPack = Packed<T>::kPack, kSide = Packed<T>::kSide, kWord = Packed<T>::kWord;
  __shared__ Pack<T> square[kSide][8];
  // The pack p of row i. The eight rows of packs that lanes read a column of at the same time hold
  // it at eight places, in different banks.
  const auto pack_at = [](int i, int p) -> Pack<T>& { return square[i][p ^ (i / kPack)]; };
  const int own = static_cast<int>(threadIdx.x) % 8, line = static_cast<int>(threadIdx.x) / 8;
  const int64_t down = (rows + kSide - 1) / kSide, across = (cols + kSide - 1) / kSide;
  for (int64_t s = blockIdx.x; s < count * down * across; s += gridDim.x) {
    const int64_t b = s / (down * across), i0 = s / across % down * kSide, j0 = s % across * kSide;
    const T* from = x + b * rows * cols + i0 * cols + j0;
    T* to = y + b * rows * cols + j0 * rows + i0;
#pragma unroll
    for (int i = line; i < kSide; i += kSide / kWord)
      if (i0 + i < rows && j0 + own * kPack < cols)
        store128(pack_at(i, own).at, load128(from + i * cols + own * kPack));
    __syncthreads();
    const int j = line * kWord;
    if (j0 + j < cols && i0 + own * kPack < rows) {
      Pack<T> column[kWord];
#pragma unroll
      for (int k = 0; k < kPack; ++k) {
        const Elements<T, kWord> word =
            load<kWord>(&pack_at(own * kPack + k, j / kPack).at[j % kPack]);
#pragma unroll
        for (int c = 0; c < kWord; ++c) column[c].at[k] = word.at[c];
      }
#pragma unroll
      for (int c = 0; c < kWord; ++c) store128(to + (j + c) * rows + own * kPack, column[c]);
    }
    __syncthreads();
  }
}

// Squares of `side` in all matrices.
int64_t squares(int64_t count, int64_t rows, int64_t cols, int side) {
  return count * ((rows + side - 1) / side) * ((cols + side - 1) / side);
}

}  // namespace

template <class Isa, class T>
void transpose(Isa cuda, T* y, const T* x, int64_t count, int64_t rows, int64_t cols) {
  if (count == 0 || rows == 0 || cols == 0) return;
  using P = Packed<T>;
  if (rows % P::kPack == 0 && cols % P::kPack == 0 && aligned_16(y) && aligned_16(x))
    launch(transpose_packed_kernel<T>, grid_for(squares(count, rows, cols, P::kSide)), P::kThreads,
           0, cuda.stream, y, x, count, rows, cols);
  else
    launch(transpose_kernel<T>, grid_for(squares(count, rows, cols, kSquare)),
           dim3(kSquare, kRowsAtOnce), 0, cuda.stream, y, x, count, rows, cols);
}

template void transpose(Cuda, float*, const float*, int64_t, int64_t, int64_t);
template void transpose(Cuda, double*, const double*, int64_t, int64_t, int64_t);
template void transpose(Cuda, bf16*, const bf16*, int64_t, int64_t, int64_t);

}  // namespace lk
