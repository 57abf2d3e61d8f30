#include "engine/kernels/pointwise.h"

#include "cuda/each.h"

namespace lk {
namespace {

template <class F>
struct Forward {
  template <class A>
  __device__ A operator()(A x) const {
    return F::f(x);
  }
};
template <class F>
struct Backward {
  template <class A>
  __device__ A operator()(A dy, A x) const {
    return dy * F::df(x);
  }
};

}  // namespace

template <class F, class Isa, class T>
void pointwise_forward(Isa cuda, T* y, const T* x, int64_t n) {
  each(cuda, Forward<F>{}, y, n, x);
}
template <class F, class Isa, class T>
void pointwise_backward(Isa cuda, T* dx, const T* dy, const T* x, int64_t n) {
  each(cuda, Backward<F>{}, dx, n, dy, x);
}

#define LK_POINTWISE(F, T)                                         \
  template void pointwise_forward<F>(Cuda, T*, const T*, int64_t); \
  template void pointwise_backward<F>(Cuda, T*, const T*, const T*, int64_t);
#define LK_POINTWISE_ALL(F) LK_POINTWISE(F, float) LK_POINTWISE(F, bf16)
LK_POINTWISE_ALL(GeluExact)
LK_POINTWISE_ALL(GeluTanh)
LK_POINTWISE_ALL(Relu)
LK_POINTWISE_ALL(Silu)
LK_POINTWISE_ALL(Tanh)
LK_POINTWISE_ALL(Sigmoid)
LK_POINTWISE_ALL(Sin)
LK_POINTWISE_ALL(Cos)

}  // namespace lk
