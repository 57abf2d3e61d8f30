// sin and cos of few values (the angles of an adapter); plain loops.
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

template <class F>
Tensor mapped(const Tensor& x, F&& f) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  visit_float(x.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < y.numel(); ++i)
      y.data<T>()[i] = static_cast<T>(static_cast<acc_t<T>>(f(x.item(i), i)));
  });
  return y;
}

}  // namespace

Var sin(const Var& x) {
  require_cpu("sin", x.value());
  return record("sin", mapped(x.value(), [](double v, int64_t) { return std::sin(v); }), {x},
                [saved = x.value()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{
                      mapped(saved, [&](double v, int64_t i) { return std::cos(v) * dy.item(i); })};
                });
}

Var cos(const Var& x) {
  require_cpu("cos", x.value());
  return record("cos", mapped(x.value(), [](double v, int64_t) { return std::cos(v); }), {x},
                [saved = x.value()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{mapped(
                      saved, [&](double v, int64_t i) { return -std::sin(v) * dy.item(i); })};
                });
}

}  // namespace lk
