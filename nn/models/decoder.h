// The decoder that Llama and its descendants share: pre-norm blocks of rotary grouped-query
// attention and SwiGLU (Shazeer 2020).
//   x = x + O attention(rope(Q n(x)), rope(K n(x)), V n(x))
//   x = x + W_down (silu(W_gate n(x)) * W_up n(x))         n = RMSNorm
// A file for each descendant says what is its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/config_fields.h"
#include "nn/model.h"

namespace lk {

struct DecoderSpec {
  std::string family;  // "Llama": LlamaForCausalLM, LlamaForSequenceClassification
  bool qkv_bias = false, o_bias = false, mlp_bias = false;
  bool qk_norm = false;          // RMSNorm of every head of q and k before the rotation
  std::vector<int64_t> windows;  // [layers], 0: a token sees all before it; empty: all 0
  int64_t head_dim = 0;          // where config.json gives none; 0: hidden_size / heads
};

// Reads the rest from `config`: sizes, rope_theta and rope_scaling, rms_norm_eps,
// tie_word_embeddings, attention_dropout.
std::unique_ptr<Model> make_decoder(const Config& config, Task task, const DecoderSpec& spec);

// The keys that make_decoder reads, and `more` that the descendant reads itself.
ConfigFields decoder_fields(const std::vector<std::string>& more = {});

}  // namespace lk
