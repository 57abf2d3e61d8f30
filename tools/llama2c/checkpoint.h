// Checkpoints of karpathy/llama2.c (version 0: seven int32, then all weights in f32) as Llama's
// tensors.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "engine/files/safetensors.h"

namespace lk {

struct Llama2cCheckpoint {
  int64_t dim, hidden_dim, layers, heads, kv_heads, vocab_size, context;
  bool tied;                         // the output layer is the embedding
  std::vector<NamedTensor> tensors;  // Hugging Face's names and layout, f32
  nlohmann::json config() const;     // config.json
};

// Error when the header is absurd or the file's size is not what the header asks for.
Llama2cCheckpoint read_llama2c_checkpoint(const std::filesystem::path& file);

}  // namespace lk
