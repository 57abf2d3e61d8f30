// y = x W^T + b, and for GPT-2's Conv1D, which stores W transposed, y = x W + b.
//   dx = dy W        dW = dy^T x        db = sum over rows of dy
#include "autograd/ops.h"
#include "autograd/ops/column_sum.h"
#include "autograd/saved.h"
#include "engine/gemm.h"

namespace lk {

Var linear(const Var& x, const Var& weight, const Var& bias, bool in_out) {
  const int64_t out_dim = weight.dim(in_out ? 1 : 0), in_dim = weight.dim(in_out ? 0 : 1);
  require(x.dim(-1) == in_dim, "linear: x is {} but the weight takes {} features (weight {})",
          x.shape(), in_dim, weight.shape());
  require(!bias.defined() || bias.value().numel() == out_dim, "linear: bias {} for weight {}",
          bias.shape(), weight.shape());
  const KernelScope scope("linear", x.value().device());
  const Tensor w = weight.value().to(x.dtype());
  Tensor y = Tensor::empty({x.value().numel() / in_dim, out_dim}, x.dtype(), w.device());
  gemm(y, x.value(), w, {.transpose_b = !in_out, .bias = bias.defined() ? &bias.value() : nullptr});

  std::vector<Var> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  if (!will_record(inputs)) return y;
  // x is kept only for dW, W only for dx.
  return record("linear", y, inputs,
                [in_out, x_shape = x.shape(), wt = weight.dtype(), bt = bias.dtype(),
                 bias_count = inputs.size() - 2, x_saved = weight.needs_grad() ? Saved(x) : Saved(),
                 w_saved = x.needs_grad() ? w : Tensor(),
                 w_shape = weight.shape()](const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(2 + bias_count);
                  if (need[0]) {
                    grads[0] = Tensor::empty(x_shape, dy.dtype(), dy.device());
                    gemm(grads[0], dy, w_saved, {.transpose_b = in_out});
                  }
                  if (need[1]) {
                    // A f32 master beside bf16 activations gets its gradient in f32, unrounded.
                    const Tensor restored = x_saved.get();
                    grads[1] = Tensor::empty(w_shape, wt, dy.device());
                    if (in_out)
                      gemm(grads[1], restored, dy, {.transpose_a = true});
                    else
                      gemm(grads[1], dy, restored, {.transpose_a = true});
                  }
                  if (bias_count && need[2]) grads[2] = column_sum_of(dy, bt);
                  return grads;
                });
}

}  // namespace lk
