#include "nn/linear.h"

#include "autograd/ops.h"

namespace lk {

std::string_view name_of(Role role) {
  constexpr std::string_view names[] = {"q",    "k",  "v",    "o",      "qkv",
                                        "gate", "up", "down", "pooler", "head"};
  return names[static_cast<size_t>(role)];
}

Linear::Linear(const std::string& name, Role role, int layer, int64_t in, int64_t out,
               bool has_bias, bool in_out)
    : name_(name),
      role_(role),
      layer_(layer),
      has_bias_(has_bias),
      weight_(std::make_unique<DenseWeight>(name + ".weight", in, out, in_out)),
      bias_(name + ".bias", Shape{out}) {}

Var Linear::operator()(const Var& x, std::span<const int32_t> offsets) const {
  return apply(x, offsets, adapters_.size());
}

Var Linear::with_gelu_tanh(const Var& x, std::span<const int32_t> offsets) const {
  return adapters_.empty() ? weight_->apply_gelu_tanh(x, bias_.var)
                           : gelu_tanh((*this)(x, offsets));
}

Var Linear::apply(const Var& x, std::span<const int32_t> offsets, size_t adapters) const {
  if (adapters == 0) return weight_->apply(x, bias_.var);
  return adapters_[adapters - 1]->forward_documents(
      *this, x, offsets, [&](const Var& z) { return apply(z, offsets, adapters - 1); });
}

void Linear::visit(const ParameterVisitor& f) {
  weight_->visit(f);
  if (has_bias_) f(bias_);
}

}  // namespace lk
