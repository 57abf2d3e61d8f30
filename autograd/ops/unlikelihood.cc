// y = -log(1 - p + epsilon) with p = exp(x); dx = dy p / (1 - p + epsilon).
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

// out[i] = f(p_i, 1 - p_i + epsilon)
template <class F>
Tensor of_probabilities(const Tensor& log_p, double epsilon, const F& f) {
  Tensor out = Tensor::empty(log_p.shape(), log_p.dtype());
  on_float(log_p.dtype(), [&](auto, auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < log_p.numel(); ++i) {
      const auto x = static_cast<double>(log_p.data<T>()[i]);
      out.data<T>()[i] = static_cast<T>(f(std::exp(x), epsilon - std::expm1(x), i));
    }
  });
  return out;
}

}  // namespace

Var unlikelihood(const Var& log_p, double epsilon) {
  require_cpu("unlikelihood", log_p.value());
  require(log_p.dtype() == DType::f32 || log_p.dtype() == DType::f64,
          "unlikelihood: log-probabilities are {}, expected f32 or f64", name_of(log_p.dtype()));
  require(epsilon > 0, "unlikelihood: epsilon is {}, expected a number above 0", epsilon);
  const auto value = [](double, double rest, int64_t) { return -std::log(rest); };
  return record(
      "unlikelihood", of_probabilities(log_p.value(), epsilon, value), {log_p},
      [x = log_p.value(), epsilon](const Tensor& dy, const Need&) {
        return std::vector<Tensor>{of_probabilities(
            x, epsilon, [&](double p, double rest, int64_t i) { return dy.item(i) * p / rest; })};
      });
}

}  // namespace lk
