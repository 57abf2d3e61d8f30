#include "peft/prompt_method.h"

#include <nlohmann/json.hpp>

namespace lk {

void PromptMethod::describe(const Model& model, int64_t token_dim, int64_t heads) {
  settings_.set("token_dim", token_dim);
  settings_.set("num_attention_heads", heads);
  settings_.set("num_layers", model.info().layers);
  settings_.set("num_transformer_submodules", 1);
}

int64_t PromptMethod::virtual_tokens(const Model& model) const {
  const int64_t count = settings_.integer("num_virtual_tokens", 1, 1 << 20);
  require(count < model.max_length(),
          "{}: num_virtual_tokens is {}, but the model's context of {} must hold them and the text",
          settings_.source(), count, model.info().max_positions);
  return count;
}

bool PromptMethod::in_template() const {
  const std::string placement = settings_.text("prompt_placement");
  require(placement == "before" || placement == "template",
          "{}: prompt_placement is '{}'; expected before or template", settings_.source(),
          placement);
  return placement == "template";
}

std::vector<int32_t> repeated(const std::vector<int32_t>& ids, int64_t count) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(ids[static_cast<size_t>(i) % ids.size()]);
  return out;
}

}  // namespace lk
