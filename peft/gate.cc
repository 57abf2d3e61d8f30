#include "peft/gate.h"

#include "autograd/ops.h"
#include "peft/initial.h"

namespace lk {

Gate::Gate(const std::string& prefix, int64_t d, int64_t heads)
    : weight_(prefix + "weight", {heads, d}), bias_(prefix + "bias", {heads}) {}

void Gate::initialise(uint64_t seed, uint64_t stream) {
  fill_normal(weight_, 0.02, seed, stream);
  fill(bias_, 0);
}

Var Gate::operator()(const Var& x, std::span<const int32_t> offsets) {
  Var g = mean_pool(sigmoid(linear(x, weight_.var, bias_.var)), offsets);
  if (!grad_enabled()) {
    for (const float v : g.value().to(Device::cpu).to_vector<float>()) noted_.push_back(v);
  }
  return g;
}

Var times_document(const Var& y, const Var& g, std::span<const int32_t> offsets) {
  std::vector<int32_t> document;
  for (size_t b = 0; b + 1 < offsets.size(); ++b)
    document.insert(document.end(), static_cast<size_t>(offsets[b + 1] - offsets[b]),
                    static_cast<int32_t>(b));
  const Tensor ones = Tensor::full({y.dim(1), 1}, y.dtype(), 1.0).to(y.value().device());
  return mul(y, linear(gather_rows(g, document), ones));
}

}  // namespace lk
