// The frequencies of rotary position embedding, as `rope_theta` and `rope_scaling` of config.json
// say.
#pragma once

#include <vector>

#include "nn/config.h"

namespace lk {

struct Rope {
  std::vector<float> inv_freq;    // [head_dim / 2]
  float attention_factor = 1.0f;  // on cos and sin
};

// Kinds: none, linear, llama3. Any other is an Error that names it.
Rope make_rope(const Config& config, int64_t head_dim);

}  // namespace lk
