#include "engine/kernels/column_sum.h"

#include <algorithm>

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void column_sum(Isa, acc_t<T>* sum, const T* x, int64_t rows, int64_t cols) {
  using A = acc_t<T>;
  constexpr int64_t kTile = 256;  // columns summed at a time stay in registers and L1
  const int64_t tiles = (cols + kTile - 1) / kTile;
  parallel_for(tiles, std::max<int64_t>(1, (1 << 14) / (rows * kTile + 1)),
               [=](int64_t begin, int64_t end) {
                 for (int64_t tile = begin; tile < end; ++tile) {
                   const int64_t j0 = tile * kTile, n = std::min(kTile, cols - j0);
                   A partial[kTile] = {};
                   for (int64_t i = 0; i < rows; ++i)
                     for (int64_t j = 0; j < n; ++j)
                       partial[j] += static_cast<A>(x[i * cols + j0 + j]);
                   for (int64_t j = 0; j < n; ++j) sum[j0 + j] = partial[j];
                 }
               });
}

template void column_sum(LK_ISA, float*, const float*, int64_t, int64_t);
template void column_sum(LK_ISA, float*, const bf16*, int64_t, int64_t);
template void column_sum(LK_ISA, double*, const double*, int64_t, int64_t);

}  // namespace lk
