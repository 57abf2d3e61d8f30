// The loss of methods whose passes differ by chance: two passes over a batch, held together.
#pragma once

#include <functional>

#include "tools/train/trainer.h"

namespace lk {

struct Prediction {
  Var logits;  // [n, C] or [n, V]
  std::vector<int32_t> labels;
};
using Predict = std::function<Prediction(Model& model, const Batch& batch)>;

// What a model with the head of a task says of a batch: of its documents with a class, or of its
// labelled tokens.
Prediction predict(Model& model, const Batch& batch, Task task);

// The loss of the first pass and `weight` times the symmetric KL divergence of what both passes
// predict, summed over documents with a class or over labelled tokens. Targets are constants.
BatchLoss with_consistency(const Predict& predict, double weight);
BatchLoss with_consistency(Task task, double weight);  // of the head of a task

}  // namespace lk
