#include "peft/prompt_method.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/ops.h"

namespace lk {

void PromptMethod::describe(const Model& model, int64_t token_dim, int64_t heads) {
  settings_.set("token_dim", token_dim);
  settings_.set("num_attention_heads", heads);
  if (!settings_.has("num_layers")) settings_.set("num_layers", model.info().layers);
  settings_.set("num_transformer_submodules", submodules(model));
}

int64_t PromptMethod::submodules(const Model& model) const {
  const std::string key = "num_transformer_submodules";
  if (!model.info().encoder_decoder()) return 1;
  return settings_.has(key) ? settings_.integer(key, 1, 2) : 2;
}

Var put_first_before(int64_t count, const Var& tokens, const Var& embedded, Packing& packing) {
  if (tokens.dim(0) == count) return put_before(tokens, embedded, packing);
  std::vector<int32_t> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return put_before(gather_rows(tokens, rows), embedded, packing);
}

MethodOption submodules_option() {
  return {"submodules", "num_transformer_submodules", "1",
          "of an encoder-decoder: 1, or 2 as HF PEFT makes it, whose second half is not used",
          "null"};
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
