// y = -log(1 - p + epsilon) with p = exp(x); dx = dy p / (1 - p + epsilon).
#include "engine/kernels/unlikelihood.h"

#include "autograd/ops.h"
#include "engine/device.h"

namespace lk {
namespace {

// Calls f(isa, T{}) for log-probabilities, which stay f32 in a bf16 model.
template <class F>
void on_log_p(const Tensor& x, F&& f) {
  on_float("unlikelihood", x, [&](auto isa, auto type) {
    if constexpr (!std::is_same_v<decltype(type), bf16>) f(isa, type);
  });
}

}  // namespace

Var unlikelihood(const Var& log_p, double epsilon) {
  require(log_p.dtype() == DType::f32 || log_p.dtype() == DType::f64,
          "unlikelihood: log-probabilities are {}, expected f32 or f64", name_of(log_p.dtype()));
  require(epsilon > 0, "unlikelihood: epsilon is {}, expected a number above 0", epsilon);
  Tensor y = Tensor::like(log_p.value());
  on_log_p(y, [&](auto isa, auto type) {
    using T = decltype(type);
    unlikelihood_forward(isa, y.data<T>(), log_p.value().data<T>(), y.numel(), epsilon);
  });
  return record(
      "unlikelihood", y, {log_p}, [x = log_p.value(), epsilon](const Tensor& dy, const Need&) {
        Tensor dx = Tensor::like(dy);
        on_log_p(dy, [&](auto isa, auto type) {
          using T = decltype(type);
          unlikelihood_backward(isa, dx.data<T>(), dy.data<T>(), x.data<T>(), dy.numel(), epsilon);
        });
        return std::vector<Tensor>{dx};
      });
}

}  // namespace lk
