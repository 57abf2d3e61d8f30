// y = f(x), dx = f'(x) dy. The functions stand in engine/kernels/pointwise.h.
#include "engine/kernels/pointwise.h"

#include "autograd/ops.h"
#include "autograd/saved.h"
#include "engine/device.h"

namespace lk {
namespace {

template <class F>
Var pointwise(const char* name, const Var& x) {
  Tensor y = Tensor::like(x.value());
  on_float(name, x.value(), [&](auto isa, auto type) {
    using T = decltype(type);
    pointwise_forward<F>(isa, y.data<T>(), x.value().data<T>(), y.numel());
  });
  if (!will_record({x})) return y;
  return record(name, y, {x}, [name, saved = Saved(x)](const Tensor& dy, const Need&) {
    const Tensor x_saved = saved.get();
    Tensor dx = Tensor::like(dy);
    on_float(name, dy, [&](auto isa, auto type) {
      using T = decltype(type);
      pointwise_backward<F>(isa, dx.data<T>(), dy.data<T>(), x_saved.data<T>(), dy.numel());
    });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace

Var gelu(const Var& x) { return pointwise<GeluExact>("gelu", x); }
Var gelu_tanh(const Var& x) { return pointwise<GeluTanh>("gelu_tanh", x); }
Var relu(const Var& x) { return pointwise<Relu>("relu", x); }
Var silu(const Var& x) { return pointwise<Silu>("silu", x); }
Var tanh(const Var& x) { return pointwise<Tanh>("tanh", x); }
Var sigmoid(const Var& x) { return pointwise<Sigmoid>("sigmoid", x); }
Var sin(const Var& x) { return pointwise<Sin>("sin", x); }
Var cos(const Var& x) { return pointwise<Cos>("cos", x); }

}  // namespace lk
