// y = gelu_tanh(z), z = x W^T + b: one product where the library has one that does both, which
// leaves z out of one pass over memory; else the two ops.
//   dz = gelu_tanh'(z) dy, then as linear's
#include "autograd/ops.h"
#include "autograd/ops/linear.h"
#include "engine/device.h"
#include "engine/gemm.h"
#include "engine/kernels/pointwise.h"

namespace lk {

Var linear_gelu_tanh(const Var& x, const Var& weight, const Var& bias, bool in_out) {
  check_linear("linear_gelu_tanh", x, weight, bias, in_out);
  const std::vector<Var> inputs = linear_inputs(x, weight, bias);
  const bool records = will_record(inputs);
  const Tensor w = weight.value().to(x.dtype());
  Tensor z;
  const Tensor y = gemm_gelu_tanh(
      x.value(), w, {.transpose_b = !in_out, .bias = bias.defined() ? &bias.value() : nullptr},
      records ? &z : nullptr);
  if (!y.defined()) return gelu_tanh(linear(x, weight, bias, in_out));
  if (!records) return y;
  return record("linear_gelu_tanh", y, inputs,
                [z_saved = Saved::result(z), linear = LinearBackward(x, weight, bias, w, in_out)](
                    const Tensor& dy, const Need& need) {
                  const Tensor kept = z_saved.get(), dz = Tensor::like(dy);
                  on_float("linear_gelu_tanh", dy, [&](auto isa, auto type) {
                    using T = decltype(type);
                    pointwise_backward<GeluTanh>(isa, dz.template data<T>(), dy.template data<T>(),
                                                 kept.template data<T>(), dy.numel());
                  });
                  return linear(dz, need);
                });
}

}  // namespace lk
