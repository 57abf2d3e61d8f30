// How likely a causal model finds given continuations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/model.h"

namespace lk {

struct Continuation {
  std::vector<int32_t> prompt, text;  // both at least one token
};

struct LogProbability {
  double sum = 0;  // log p(text | prompt)
  int64_t tokens = 0;
  double mean() const { return sum / static_cast<double>(tokens); }
};

// Several are read at a time, as many as fit into tokens_per_batch. Error where one is longer than
// the model's context.
std::vector<LogProbability> log_probabilities(Model& model, std::span<const Continuation> items,
                                              int64_t tokens_per_batch = 4096);

}  // namespace lk
