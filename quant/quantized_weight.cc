#include "quant/quantized_weight.h"

#include "quant/linear.h"

namespace lk {

QuantizedWeight::QuantizedWeight(std::string name, Quantized w, bool in_out)
    : name_(std::move(name)), w_(std::make_shared<const Quantized>(std::move(w))), in_out_(in_out) {
  invariant(w_->shape.rank() == 2, "{}: a quantized weight of shape {}", name_, w_->shape);
}

Var QuantizedWeight::apply(const Var& x, const Var& bias) const {
  return quantized_linear(x, w_, bias);
}

Tensor QuantizedWeight::dense(DType dtype) const {
  return dtype == DType::f64 ? dequantize(*w_, DType::f32).to(dtype) : dequantize(*w_, dtype);
}

void QuantizedWeight::assign(const Tensor& w) {
  const CategoryScope weights(Category::weights);
  invariant(w.shape() == w_->shape, "{}: {} is assigned to {}", name_, w.shape(), w_->shape);
  w_ = std::make_shared<const Quantized>(quantize(w, w_->spec));
}

}  // namespace lk
