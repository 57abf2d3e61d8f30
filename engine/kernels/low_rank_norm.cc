#include "engine/kernels/low_rank_norm.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void low_rank_norm(Isa, T* n, const double* squares, const T* b, const T* wa, const T* baa,
                   int64_t out, int64_t r, double s, bool inverse) {
  parallel_for(out, 1 + (1 << 12) / (r + 1), [=](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      double total = squares[o];
      for (int64_t i = 0; i < r; ++i)
        total +=
            s * static_cast<double>(b[o * r + i]) *
            (2 * static_cast<double>(wa[i * out + o]) + s * static_cast<double>(baa[o * r + i]));
      const double length = std::sqrt(total > 1e-24 || total != total ? total : 1e-24);
      n[o] = static_cast<T>(inverse ? 1.0 / length : length);
    }
  });
}

template void low_rank_norm(LK_ISA, float*, const double*, const float*, const float*, const float*,
                            int64_t, int64_t, double, bool);
template void low_rank_norm(LK_ISA, double*, const double*, const double*, const double*,
                            const double*, int64_t, int64_t, double, bool);

}  // namespace lk
