#include "quant/quantized_weight.h"

#include "autograd/ops.h"
#include "engine/dry_run.h"
#include "engine/files/mapped_file.h"
#include "quant/linear.h"

namespace lk {

QuantizedWeight::QuantizedWeight(std::string name, Quantized w, bool in_out, Tensor source)
    : name_(std::move(name)),
      w_(std::make_shared<const Quantized>(std::move(w))),
      in_out_(in_out),
      source_(std::move(source)) {
  invariant(w_->shape.rank() == 2, "{}: a quantized weight of shape {}", name_, w_->shape);
}

Var QuantizedWeight::apply(const Var& x, const Var& bias) const {
  if (const Device device = x.value().device(); w_->device() != device) {
    const CategoryScope weights(Category::weights);
    w_ = std::make_shared<const Quantized>(w_->to(device));
  }
  return quantized_linear(x, w_, bias);
}

Tensor QuantizedWeight::dense(DType dtype) const {
  const Quantized host = w_->to(Device::cpu);
  return dtype == DType::f64 ? dequantize(host, DType::f32).to(dtype) : dequantize(host, dtype);
}

void QuantizedWeight::assign(const Tensor& w) {
  const CategoryScope weights(Category::weights);
  invariant(w.shape() == w_->shape, "{}: {} is assigned to {}", name_, w.shape(), w_->shape);
  w_ = std::make_shared<const Quantized>(quantize(w, w_->spec));
  of_source_ = false;
}

std::function<void()> QuantizedWeight::snapshot() {
  // What can be read again need not be kept.
  if (source_.defined() && of_source_)
    return [this] {
      assign(original(DType::f32));
      of_source_ = true;
    };
  return [this, kept = w_, of_source = of_source_] {
    w_ = kept;
    of_source_ = of_source;
  };
}

Tensor QuantizedWeight::rounded(const Tensor& w) const {
  return dequantize(quantize(w.to(DType::f32), w_->spec), DType::f32);
}

Tensor QuantizedWeight::original(DType dtype) const {
  if (dry_run()) return Tensor::empty(w_->shape, dtype);
  if (!source_.defined()) return {};
  Tensor w = source_.to(dtype);
  w = in_out_ ? transpose(Var(w)).value() : w.is_mapped() ? w.clone() : w;
  forget_pages(source_.raw(), static_cast<size_t>(source_.bytes()));
  return w;
}

}  // namespace lk
