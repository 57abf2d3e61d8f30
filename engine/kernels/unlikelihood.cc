#include "engine/kernels/unlikelihood.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void unlikelihood_forward(Isa, T* y, const T* x, int64_t n, double epsilon) {
  parallel_for(n, 1 << 10, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      y[i] = static_cast<T>(-std::log(epsilon - std::expm1(static_cast<double>(x[i]))));
  });
}

template <class Isa, class T>
void unlikelihood_backward(Isa, T* dx, const T* dy, const T* x, int64_t n, double epsilon) {
  parallel_for(n, 1 << 10, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto log_p = static_cast<double>(x[i]);
      dx[i] = static_cast<T>(static_cast<double>(dy[i]) * math::exp(log_p) /
                             (epsilon - std::expm1(log_p)));
    }
  });
}

#define LK_UNLIKELIHOOD(T)                                                   \
  template void unlikelihood_forward(LK_ISA, T*, const T*, int64_t, double); \
  template void unlikelihood_backward(LK_ISA, T*, const T*, const T*, int64_t, double);
LK_UNLIKELIHOOD(float)
LK_UNLIKELIHOOD(double)

}  // namespace lk
