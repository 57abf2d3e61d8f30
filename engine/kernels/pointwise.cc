#include "engine/kernels/pointwise.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class F, class Isa, class T>
void pointwise_forward(Isa, T* y, const T* x, int64_t n) {
  using A = acc_t<T>;
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = T(F::f(static_cast<A>(x[i])));
  });
}

template <class F, class Isa, class T>
void pointwise_backward(Isa, T* dx, const T* dy, const T* x, int64_t n) {
  using A = acc_t<T>;
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      dx[i] = T(static_cast<A>(dy[i]) * F::df(static_cast<A>(x[i])));
  });
}

#define LK_POINTWISE(F, T)                                           \
  template void pointwise_forward<F>(LK_ISA, T*, const T*, int64_t); \
  template void pointwise_backward<F>(LK_ISA, T*, const T*, const T*, int64_t);
#define LK_POINTWISE_ALL(F) LK_POINTWISE(F, float) LK_POINTWISE(F, bf16) LK_POINTWISE(F, double)
LK_POINTWISE_ALL(GeluExact)
LK_POINTWISE_ALL(GeluTanh)
LK_POINTWISE_ALL(Relu)
LK_POINTWISE_ALL(Silu)
LK_POINTWISE_ALL(Tanh)
LK_POINTWISE_ALL(Sigmoid)
LK_POINTWISE_ALL(Sin)
LK_POINTWISE_ALL(Cos)

}  // namespace lk
