#include "engine/kernels/softmax.h"

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void softmax_forward(Isa, T* y, const T* x, int64_t rows, int64_t width) {
  using A = acc_t<T>;
  parallel_for(rows, 1 + (1 << 12) / (width + 1), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* from = x + r * width;
      A most = static_cast<A>(from[0]);
      double total = 0;
      for (int64_t i = 1; i < width; ++i)
        most = static_cast<A>(from[i]) > most ? static_cast<A>(from[i]) : most;
      for (int64_t i = 0; i < width; ++i)
        total += static_cast<double>(math::exp(static_cast<A>(from[i]) - most));
      const A inverse = static_cast<A>(1.0 / total);
      for (int64_t i = 0; i < width; ++i)
        y[r * width + i] = T(math::exp(static_cast<A>(from[i]) - most) * inverse);
    }
  });
}

template <class Isa, class T>
void softmax_backward(Isa, T* dx, const T* dy, const T* y, int64_t rows, int64_t width) {
  using A = acc_t<T>;
  parallel_for(rows, 1 + (1 << 13) / (width + 1), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *p = y + r * width, *g = dy + r * width;
      A dot = 0;
      for (int64_t i = 0; i < width; ++i) dot += static_cast<A>(p[i]) * static_cast<A>(g[i]);
      for (int64_t i = 0; i < width; ++i)
        dx[r * width + i] = T(static_cast<A>(p[i]) * (static_cast<A>(g[i]) - dot));
    }
  });
}

#define LK_SOFTMAX(T)                                                    \
  template void softmax_forward(LK_ISA, T*, const T*, int64_t, int64_t); \
  template void softmax_backward(LK_ISA, T*, const T*, const T*, int64_t, int64_t);
LK_SOFTMAX(float)
LK_SOFTMAX(bf16)
LK_SOFTMAX(double)

}  // namespace lk
