#include "nn/parameter.h"

namespace lk {

void Parameter::set(Tensor value) {
  require(value.shape() == shape, "{}: the shape is {}, but the configuration asks for {}", name,
          value.shape(), shape);
  var = Var(std::move(value));
}

void Parameter::make_trainable() {
  if (trainable()) return;
  invariant(defined(), "{} was made trainable before it had a value", name);
  const CategoryScope weights(Category::weights);
  const DType master = var.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor& now = var.value();
  var = Var::leaf(now.dtype() == master ? now.clone() : now.to(master));
}

void Parameter::to(Device device) {
  if (!defined() || var.value().device() == device) return;
  const CategoryScope weights(Category::weights);
  const Tensor moved = var.value().to(device);
  var = trainable() ? Var::leaf(moved) : Var(moved);
}

}  // namespace lk
