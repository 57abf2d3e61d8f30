// y = x W^T + b, and for GPT-2's Conv1D, which stores W transposed, y = x W + b.
//   dx = dy W        dW = dy^T x        db = sum over rows of dy
#include "autograd/ops/linear.h"

#include "autograd/ops.h"
#include "autograd/ops/column_sum.h"
#include "engine/gemm.h"

namespace lk {

LinearBackward::LinearBackward(const Var& x, const Var& weight, const Var& bias, const Tensor& w,
                               bool in_out)
    : in_out_(in_out),
      has_bias_(bias.defined()),
      x_shape_(x.shape()),
      w_shape_(weight.shape()),
      w_dtype_(weight.dtype()),
      bias_dtype_(bias.dtype()),
      x_(weight.needs_grad() ? Saved(x) : Saved()),
      w_(x.needs_grad() ? w : Tensor()) {}

std::vector<Tensor> LinearBackward::operator()(const Tensor& dy, const Need& need) const {
  std::vector<Tensor> grads(has_bias_ ? 3 : 2);
  if (need[0]) {
    grads[0] = Tensor::empty(x_shape_, dy.dtype(), dy.device());
    gemm(grads[0], dy, w_, {.transpose_b = in_out_});
  }
  if (need[1]) {
    // A f32 master beside bf16 activations gets its gradient in f32, unrounded.
    const Tensor x = x_.get();
    grads[1] = Tensor::empty(w_shape_, w_dtype_, dy.device());
    if (in_out_)
      gemm(grads[1], x, dy, {.transpose_a = true});
    else
      gemm(grads[1], dy, x, {.transpose_a = true});
  }
  if (has_bias_ && need[2]) grads[2] = column_sum_of(dy, bias_dtype_);
  return grads;
}

std::vector<Var> linear_inputs(const Var& x, const Var& weight, const Var& bias) {
  std::vector<Var> inputs{x, weight};
  if (bias.defined()) inputs.push_back(bias);
  return inputs;
}

void check_linear(const char* op, const Var& x, const Var& weight, const Var& bias, bool in_out) {
  const int64_t out_dim = weight.dim(in_out ? 1 : 0), in_dim = weight.dim(in_out ? 0 : 1);
  require(x.dim(-1) == in_dim, "{}: x is {} but the weight takes {} features (weight {})", op,
          x.shape(), in_dim, weight.shape());
  require(!bias.defined() || bias.value().numel() == out_dim, "{}: bias {} for weight {}", op,
          bias.shape(), weight.shape());
}

Var linear(const Var& x, const Var& weight, const Var& bias, bool in_out) {
  check_linear("linear", x, weight, bias, in_out);
  const KernelScope scope("linear", x.value().device());
  const Tensor w = weight.value().to(x.dtype());
  const int64_t rows = x.value().numel() / x.dim(-1), out_dim = weight.dim(in_out ? 1 : 0);
  Tensor y = Tensor::empty({rows, out_dim}, x.dtype(), w.device());
  gemm(y, x.value(), w, {.transpose_b = !in_out, .bias = bias.defined() ? &bias.value() : nullptr});
  const std::vector<Var> inputs = linear_inputs(x, weight, bias);
  if (!will_record(inputs)) return y;
  return record("linear", y, inputs, LinearBackward(x, weight, bias, w, in_out));
}

}  // namespace lk
