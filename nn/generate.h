// Text generation with a key-value cache.
#pragma once

#include <functional>
#include <vector>

#include "nn/model.h"

namespace lk {

struct GenerateOptions {
  int64_t max_new_tokens = 128;
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // > 0: among the k likeliest
  double top_p = 1.0;        // < 1: among the fewest that hold this much probability
  uint64_t seed = 0;
  std::vector<int32_t> eos_ids;  // end a sequence; empty: the model's own
};

// Continues each prompt; the new ids without the prompt, with the eos that ended it left out.
// on_token is called for each new id of a prompt as it comes.
std::vector<std::vector<int32_t>> generate(
    Model& model, const std::vector<std::vector<int32_t>>& prompts, const GenerateOptions& options,
    const std::function<void(size_t prompt, int32_t id)>& on_token = {});

// The next id from logits [V] in any float dtype. Error where one is NaN or infinite.
int32_t choose_token(const Tensor& logits, const GenerateOptions& options, class Random& random);

}  // namespace lk
