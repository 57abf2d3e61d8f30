// A parametrised hypercomplex product's weight (Zhang et al. 2021; Mahabadi et al. 2021, eq. 4, 5):
//   H = sum_i A_i (x) (L_i R_i)        A_i [n, n], L_i [p, r], R_i [r, q], H [n p, n q]
// G_i = dL/d(L_i R_i): G_i[j, l] = sum_ab A_i[a, b] dH[a p + j, b q + l]
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

struct Sizes {
  int64_t n, p, r, q;
};

// L_i R_i [p, q]
template <class T>
std::vector<T> factor(const T* left, const T* right, const Sizes& s, int64_t i) {
  std::vector<T> out(static_cast<size_t>(s.p * s.q), T(0));
  for (int64_t j = 0; j < s.p; ++j)
    for (int64_t k = 0; k < s.r; ++k)
      for (int64_t l = 0; l < s.q; ++l)
        out[static_cast<size_t>(j * s.q + l)] +=
            left[(i * s.p + j) * s.r + k] * right[(i * s.r + k) * s.q + l];
  return out;
}

template <class T>
void backward_all(const Tensor& dh, const Tensor& rule, const Tensor& left, const Tensor& right,
                  const Sizes& s, T* d_rule, T* d_left, T* d_right) {
  const T *a = rule.data<T>(), *l = left.data<T>(), *r = right.data<T>(), *g = dh.data<T>();
  for (int64_t i = 0; i < s.n; ++i) {
    const std::vector<T> b = factor(l, r, s, i);
    std::vector<T> db(b.size(), T(0));
    for (int64_t u = 0; u < s.n; ++u)
      for (int64_t v = 0; v < s.n; ++v) {
        T total = 0;
        const T weight = a[(i * s.n + u) * s.n + v];
        for (int64_t j = 0; j < s.p; ++j) {
          const T* row = g + ((u * s.p + j) * s.n + v) * s.q;
          for (int64_t k = 0; k < s.q; ++k) {
            total += row[k] * b[static_cast<size_t>(j * s.q + k)];
            db[static_cast<size_t>(j * s.q + k)] += weight * row[k];
          }
        }
        d_rule[(i * s.n + u) * s.n + v] = total;
      }
    for (int64_t j = 0; j < s.p; ++j)
      for (int64_t k = 0; k < s.r; ++k)
        for (int64_t m = 0; m < s.q; ++m) {
          const T gradient = db[static_cast<size_t>(j * s.q + m)];
          d_left[(i * s.p + j) * s.r + k] += gradient * r[(i * s.r + k) * s.q + m];
          d_right[(i * s.r + k) * s.q + m] += gradient * l[(i * s.p + j) * s.r + k];
        }
  }
}

}  // namespace

Var phm_weight(const Var& rule, const Var& left, const Var& right) {
  require_cpu("phm_weight", rule.value());
  require(rule.shape().rank() == 3 && left.shape().rank() == 3 && right.shape().rank() == 3 &&
              rule.dim(1) == rule.dim(0) && rule.dim(2) == rule.dim(0) &&
              left.dim(0) == rule.dim(0) && right.dim(0) == rule.dim(0) &&
              left.dim(2) == right.dim(1) && left.dtype() == rule.dtype() &&
              right.dtype() == rule.dtype(),
          "phm_weight: A {}, L {} and R {} do not fit", rule.shape(), left.shape(), right.shape());
  const Sizes s{rule.dim(0), left.dim(1), left.dim(2), right.dim(2)};
  Tensor h = Tensor::zeros({s.n * s.p, s.n * s.q}, rule.dtype());
  const auto on_type = [](DType dtype, auto f) {
    if (dtype == DType::f64) return f(double{});
    require(dtype == DType::f32, "phm_weight: {} is not supported (f32, f64)", name_of(dtype));
    return f(float{});
  };
  on_type(rule.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < s.n; ++i) {
      const std::vector<T> b = factor(left.value().data<T>(), right.value().data<T>(), s, i);
      for (int64_t u = 0; u < s.n; ++u)
        for (int64_t v = 0; v < s.n; ++v) {
          const T weight = rule.value().data<T>()[(i * s.n + u) * s.n + v];
          for (int64_t j = 0; j < s.p; ++j)
            for (int64_t k = 0; k < s.q; ++k)
              h.data<T>()[((u * s.p + j) * s.n + v) * s.q + k] +=
                  weight * b[static_cast<size_t>(j * s.q + k)];
        }
    }
  });
  return record("phm_weight", h, {rule, left, right},
                [s, on_type, a = rule.value(), l = left.value(), r = right.value()](
                    const Tensor& dh, const Need& need) {
                  std::vector<Tensor> grads{Tensor::zeros(a.shape(), a.dtype()),
                                            Tensor::zeros(l.shape(), a.dtype()),
                                            Tensor::zeros(r.shape(), a.dtype())};
                  on_type(a.dtype(), [&](auto type) {
                    using T = decltype(type);
                    backward_all(dh, a, l, r, s, grads[0].data<T>(), grads[1].data<T>(),
                                 grads[2].data<T>());
                  });
                  for (size_t i = 0; i < need.size(); ++i)
                    if (!need[i]) grads[i] = Tensor();
                  return grads;
                });
}

}  // namespace lk
