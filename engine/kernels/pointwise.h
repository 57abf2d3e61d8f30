// y = f(x) element by element, and dx = f'(x) dy. One pair f, df per function, shared by every
// device.
#pragma once

#include "engine/dtype.h"
#include "engine/kernels/math.h"

namespace lk {

struct GeluExact {  // x Phi(x) (Hendrycks and Gimpel 2016)
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return x * math::normal_cdf(x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    return math::normal_cdf(x) + x * math::normal_pdf(x);
  }
};

// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), GPT-2's gelu_new; (1 + tanh(u)) / 2
// is sigmoid(2 u), which loses no digits in the tail.
struct GeluTanh {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return x * math::sigmoid(twice_u(x));
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    // sigmoid(2 u) and its derivative by one exponential that cannot overflow.
    const A u2 = twice_u(x), e = math::exp(-math::abs(u2)), r = A(1) / (A(1) + e);
    return (u2 < A(0) ? e * r : r) +
           x * e * r * r * A(1.5957691216057308) * (A(1) + A(0.134145) * x * x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A twice_u(A x) {
    return A(1.5957691216057308) * (x + A(0.044715) * x * x * x);
  }
};

struct Relu {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return x > A(0) ? x : x == x ? A(0) : x;  // NaN stays NaN
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    return x > A(0) ? A(1) : A(0);
  }
};

struct Silu {  // x sigmoid(x)
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return x * math::sigmoid(x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    const A s = math::sigmoid(x);
    return s * (A(1) + x * (A(1) - s));
  }
};

struct Tanh {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return math::tanh(x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    return A(4) * math::sigmoid(A(2) * x) *
           math::sigmoid(A(-2) * x);  // 1 - tanh(x)^2 without cancellation
  }
};

struct Sigmoid {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return math::sigmoid(x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    const A s = math::sigmoid(x);
    return s * (A(1) - s);
  }
};

struct Sin {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    A s = 0, c = 0;
    math::sin_cos(x, s, c);
    return s;
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    A s = 0, c = 0;
    math::sin_cos(x, s, c);
    return c;
  }
};

struct Cos {
  template <class A>
  [[gnu::always_inline]] static constexpr A f(A x) {
    return Sin::df(x);
  }
  template <class A>
  [[gnu::always_inline]] static constexpr A df(A x) {
    return -Sin::f(x);
  }
};

// x, y, dx, dy: [n].
template <class F, class Isa, class T>
void pointwise_forward(Isa, T* y, const T* x, int64_t n);
template <class F, class Isa, class T>
void pointwise_backward(Isa, T* dx, const T* dy, const T* x, int64_t n);

}  // namespace lk
