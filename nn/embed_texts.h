// One vector for each text: what its final hidden states make together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/model.h"

namespace lk {

// mean: of all tokens, the special ones too (Reimers and Gurevych 2019, arXiv:1908.10084); cls: the
// first token; last: the last one.
enum class Pooling : uint8_t { mean, cls, last };

struct EmbedOptions {
  Pooling pooling = Pooling::mean;
  bool normalize = true;            // to length 1
  int64_t tokens_per_batch = 4096;  // read together
};

// [texts][hidden_size]. Error where a text has no tokens or more than the model's context.
std::vector<std::vector<float>> embed_texts(Model& model,
                                            std::span<const std::vector<int32_t>> texts,
                                            const EmbedOptions& options = {});

}  // namespace lk
