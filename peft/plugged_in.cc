#include "peft/plugged_in.h"

namespace lk {

PluggedIn::PluggedIn(Model& model)
    : blocks(model.blocks()),
      inputs(model.input_adapters()),
      target_inputs(model.target_input_adapters()),
      embedded(model.embedded_adapters()) {
  model.visit_linears([&](Linear& l) { linears.push_back(l.adapters()); });
  model.visit_embeddings([&](Embedding& e) { embeddings.push_back(e.adapters); });
}

void PluggedIn::put_back(Model& model) const {
  model.blocks() = blocks;
  model.input_adapters() = inputs;
  model.target_input_adapters() = target_inputs;
  model.embedded_adapters() = embedded;
  size_t i = 0, j = 0;
  model.visit_linears([&](Linear& l) { l.adapters() = linears[i++]; });
  model.visit_embeddings([&](Embedding& e) { e.adapters = embeddings[j++]; });
}

}  // namespace lk
