// Beam search as transformers 4.57 does it (early_stopping false): the likeliest `beams` unfinished
// texts are kept, finished ones are ranked by log-probability / length^length_penalty.
#pragma once

#include "nn/generate.h"

namespace lk {

// For each prompt the ids of its best text, without its eos.
std::vector<std::vector<int32_t>> beam_search(Model& model,
                                              const std::vector<std::vector<int32_t>>& prompts,
                                              const GenerateOptions& options);

}  // namespace lk
