#include "engine/kernels/transpose.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void transpose(Isa, T* y, const T* x, int64_t count, int64_t rows, int64_t cols) {
  // Pieces of the output's rows, through squares that stay in the cache.
  constexpr int64_t kSquare = 32;
  parallel_for(count * cols, 1 + (1 << 14) / (rows + 1), [=](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end;) {
      const int64_t b = first / cols, j0 = first % cols;
      const int64_t j1 = j0 + kSquare < cols ? j0 + kSquare : cols,
                    last = j1 - j0 < end - first ? j1 : j0 + end - first;
      const T* from = x + b * rows * cols;
      T* to = y + b * rows * cols;
      for (int64_t i0 = 0; i0 < rows; i0 += kSquare) {
        const int64_t i1 = i0 + kSquare < rows ? i0 + kSquare : rows;
        for (int64_t j = j0; j < last; ++j)
          for (int64_t i = i0; i < i1; ++i) to[j * rows + i] = from[i * cols + j];
      }
      first += last - j0;
    }
  });
}

template void transpose(LK_ISA, float*, const float*, int64_t, int64_t, int64_t);
template void transpose(LK_ISA, bf16*, const bf16*, int64_t, int64_t, int64_t);
template void transpose(LK_ISA, double*, const double*, int64_t, int64_t, int64_t);

}  // namespace lk
