#include "nn/weight.h"

#include "autograd/ops.h"

namespace lk {
namespace {

// [rows, cols] -> [cols, rows]
Tensor transposed(const Tensor& m) {
  Tensor out = Tensor::empty({m.dim(1), m.dim(0)}, m.dtype());
  const int64_t rows = m.dim(0), cols = m.dim(1);
  visit_float(m.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) out.data<T>()[j * rows + i] = m.data<T>()[i * cols + j];
  });
  return out;
}

}  // namespace

Var Weight::apply_gelu_tanh(const Var& x, const Var& bias) const {
  return gelu_tanh(apply(x, bias));
}

Var DenseWeight::apply(const Var& x, const Var& bias) const {
  return linear(x, parameter_.var, bias, in_out_);
}

Var DenseWeight::apply_gelu_tanh(const Var& x, const Var& bias) const {
  return linear_gelu_tanh(x, parameter_.var, bias, in_out_);
}

Tensor DenseWeight::dense(DType dtype) const {
  const Tensor w = parameter_.var.value().to(Device::cpu).to(dtype);
  return in_out_ ? transposed(w) : w.clone();
}

void DenseWeight::assign(const Tensor& w) {
  const CategoryScope weights(Category::weights);
  const Tensor stored =
      (in_out_ ? transposed(w) : w).to(parameter_.var.dtype()).to(parameter_.var.value().device());
  invariant(!parameter_.trainable(), "{} is assigned while it is being trained", parameter_.name);
  parameter_.set(stored);
}

}  // namespace lk
