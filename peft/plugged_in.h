// What is plugged into a model, all of it.
#pragma once

#include "nn/model.h"

namespace lk {

struct PluggedIn {
  explicit PluggedIn(Model& model);  // as it is now
  void put_back(Model& model) const;

  std::vector<Block> blocks;
  std::vector<std::shared_ptr<InputAdapter>> inputs, target_inputs;
  std::vector<std::shared_ptr<EmbeddedAdapter>> embedded;
  std::vector<std::vector<std::shared_ptr<LinearAdapter>>> linears;  // as visit_linears goes
  std::vector<std::vector<std::shared_ptr<EmbeddingAdapter>>> embeddings;
};

}  // namespace lk
