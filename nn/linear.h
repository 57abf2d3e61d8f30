// A linear layer with its hook.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/hooks.h"
#include "nn/weight.h"

namespace lk {

// What a linear layer is for, the same in every architecture. qkv: GPT-2's three in one.
enum class Role : uint8_t { q, k, v, o, qkv, gate, up, down, pooler, head };
std::string_view name_of(Role role);

class Linear {
 public:
  Linear() = default;
  // name: Hugging Face's module name without ".weight". layer: index of the block, -1 outside.
  Linear(const std::string& name, Role role, int layer, int64_t in, int64_t out, bool has_bias,
         bool in_out = false);

  // x [T, in] -> [T, out]. offsets [B + 1]: the documents of x, for adapters that tell them apart.
  Var operator()(const Var& x, std::span<const int32_t> offsets = {}) const;
  // gelu_tanh of that, in one product where no adapter stands between and the device has one.
  Var with_gelu_tanh(const Var& x, std::span<const int32_t> offsets = {}) const;

  const std::string& name() const { return name_; }
  Role role() const { return role_; }
  int layer() const { return layer_; }
  int64_t in_features() const { return weight_->in_features(); }
  int64_t out_features() const { return weight_->out_features(); }
  bool has_bias() const { return has_bias_; }
  Weight& weight() const { return *weight_; }
  void set_weight(std::unique_ptr<Weight> weight) { weight_ = std::move(weight); }
  Parameter& bias() { return bias_; }
  const Parameter& bias() const { return bias_; }
  std::vector<std::shared_ptr<LinearAdapter>>& adapters() { return adapters_; }
  void visit(const ParameterVisitor& f);  // the base's own parameters

 private:
  Var apply(const Var& x, std::span<const int32_t> offsets, size_t adapters) const;
  std::string name_;
  Role role_ = Role::head;
  int layer_ = -1;
  bool has_bias_ = false;
  std::unique_ptr<Weight> weight_;
  Parameter bias_;
  std::vector<std::shared_ptr<LinearAdapter>> adapters_;
};

}  // namespace lk
