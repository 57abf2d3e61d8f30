#include "engine/kernels/softmax_cross_entropy.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class G, class T>
void softmax_cross_entropy(Isa, G* dz, double* loss, const T* z, const int32_t* labels,
                           int64_t rows, int64_t classes) {
  using A = acc_t<T>;
  parallel_for(rows, 1 + (1 << 13) / classes, [=](int64_t begin, int64_t end) {
    constexpr int kLanes = 32;
    for (int64_t i = begin; i < end; ++i) {
      const T* zi = z + i * classes;
      if (labels[i] == -100) {
        loss[i] = 0;
        if (dz)
          for (int64_t j = 0; j < classes; ++j) dz[i * classes + j] = G(A(0));
        continue;
      }
      A most[kLanes];
      for (int l = 0; l < kLanes; ++l) most[l] = static_cast<A>(zi[0]);
      int64_t j = 0;
      for (; j + kLanes <= classes; j += kLanes)
        for (int l = 0; l < kLanes; ++l)
          most[l] = static_cast<A>(zi[j + l]) > most[l] ? static_cast<A>(zi[j + l]) : most[l];
      for (; j < classes; ++j)
        most[0] = static_cast<A>(zi[j]) > most[0] ? static_cast<A>(zi[j]) : most[0];
      A top = most[0];
      for (int l = 1; l < kLanes; ++l) top = most[l] > top ? most[l] : top;
      A partial[kLanes] = {};
      for (j = 0; j + kLanes <= classes; j += kLanes)
        for (int l = 0; l < kLanes; ++l) partial[l] += math::exp(static_cast<A>(zi[j + l]) - top);
      for (; j < classes; ++j) partial[0] += math::exp(static_cast<A>(zi[j]) - top);
      double total = 0;
      for (int l = 0; l < kLanes; ++l) total += static_cast<double>(partial[l]);
      loss[i] = std::log(total) + static_cast<double>(top) -
                static_cast<double>(static_cast<A>(zi[labels[i]]));
      if (!dz) continue;
      const A inverse = static_cast<A>(1.0 / total);
      G* di = dz + i * classes;
      const A at_label = math::exp(static_cast<A>(zi[labels[i]]) - top) * inverse - A(1);
      for (j = 0; j < classes; ++j) di[j] = G(math::exp(static_cast<A>(zi[j]) - top) * inverse);
      di[labels[i]] = G(at_label);
    }
  });
}

template void softmax_cross_entropy(LK_ISA, float*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(LK_ISA, bf16*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(LK_ISA, bf16*, double*, const bf16*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(LK_ISA, double*, double*, const double*, const int32_t*,
                                    int64_t, int64_t);

}  // namespace lk
