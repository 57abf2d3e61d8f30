// The frequencies of rotary position embedding, as `rope_theta` and `rope_scaling` of config.json
// say.
#pragma once

#include <vector>

#include "nn/config.h"

namespace lk {

struct Rope {
  std::vector<float> inv_freq;    // [head_dim / 2]
  float attention_factor = 1.0f;  // on cos and sin
  int64_t max_positions = 0;      // the longest text the scaling is made for
  // Dynamic NTK scaling alone: beyond `trained` positions the base grows with the length.
  double theta = 0, factor = 0;
  int64_t trained = 0;

  // The frequencies for a batch whose last position is length - 1.
  std::vector<float> frequencies(int64_t length) const;
};

// Kinds of rope_scaling: none, linear, dynamic, yarn, llama3. Any other, and a field of it that is
// not known, is an Error that names it. max_positions: max_position_embeddings.
Rope make_rope(const Config& config, int64_t head_dim, int64_t max_positions);

}  // namespace lk
