// What methods that learn virtual tokens have in common: they train nothing of the base, and their
// result depends on no weight of it, so there is nothing to merge.
#pragma once

#include "peft/inserted_method.h"

namespace lk {

class PromptMethod : public InsertedMethod {
 public:
  explicit PromptMethod(const Settings& settings) : settings_(settings) {}
  bool selects(const std::string&) const override { return false; }
  // HF PEFT does not wrap the base under a prompt, so its modules stand one level higher.
  std::string file_name(const std::string& parameter) const override {
    return "base_model." + parameter;
  }
  void merge(Model&) override {
    fail(
        "{}: virtual tokens cannot be merged: no weight of the base can hold them; use the adapter "
        "beside its base",
        settings_.source());
  }
  const Settings& settings() const override { return settings_; }

 protected:
  // Notes in the settings what HF PEFT asks for; token_dim: width of an embedding row.
  void describe(const Model& model, int64_t token_dim, int64_t heads);
  // num_virtual_tokens; Error where the context has no room left for a text.
  int64_t virtual_tokens(const Model& model) const;
  // prompt_placement: whether the virtual tokens stand at the slots of a template (P-tuning's [P])
  // instead of before the text.
  bool in_template() const;
  // num_transformer_submodules: 1, or 2 for an encoder-decoder as HF PEFT makes it, which learns
  // twice as much as it uses.
  int64_t submodules(const Model& model) const;
  Settings settings_;
};

// HF PEFT's prompts: positions of a text start at `by`, as if the virtual tokens stood before it.
class PositionShift : public InputAdapter {
 public:
  explicit PositionShift(int64_t by) : by_(by) {}
  Var forward(const Var& embedded, Packing& packing) override {
    for (int32_t& p : packing.positions) p += static_cast<int32_t>(by_);
    return embedded;
  }
  int64_t positions_taken() const override { return by_; }
  void visit(const ParameterVisitor&) override {}

 private:
  int64_t by_;
};

// Puts the first `count` rows of tokens [n, d] before every document.
Var put_first_before(int64_t count, const Var& tokens, const Var& embedded, Packing& packing);

// For the registry: the option that submodules() reads.
MethodOption submodules_option();

// `ids` over and over up to `count` of them.
std::vector<int32_t> repeated(const std::vector<int32_t>& ids, int64_t count);

}  // namespace lk
