// The backward pass of a linear layer, which more than one op has.
#pragma once

#include "autograd/saved.h"

namespace lk {

// dx = dy W, dW = dy^T x, db = sum over rows of dy, in the order of its inputs x, W and, where it
// has one, b.
class LinearBackward {
 public:
  // w: the weight in x's dtype.
  LinearBackward(const Var& x, const Var& weight, const Var& bias, const Tensor& w, bool in_out);
  std::vector<Tensor> operator()(const Tensor& dy, const Need& need) const;

 private:
  bool in_out_, has_bias_;
  Shape x_shape_, w_shape_;
  DType w_dtype_, bias_dtype_;
  Saved x_;   // kept only for dW
  Tensor w_;  // only for dx
};

std::vector<Var> linear_inputs(const Var& x, const Var& weight, const Var& bias);
// Error where their shapes do not fit.
void check_linear(const char* op, const Var& x, const Var& weight, const Var& bias, bool in_out);

}  // namespace lk
