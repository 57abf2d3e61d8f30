// The weights of a model folder, whichever of Hugging Face's layouts they are in.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"

namespace lk {

class WeightFiles {
 public:
  // One .safetensors or PyTorch file (.bin, .pt, .pth), or a folder with model.safetensors or
  // pytorch_model.bin, or with the shards that an index (model.safetensors.index.json,
  // pytorch_model.bin.index.json) names. Safetensors come first where a folder has both.
  static WeightFiles open(const std::filesystem::path& folder_or_file);
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  Tensor get(const std::string& name) const { return tensors_.at(name).get(); }
  const Shape& shape(const std::string& name) const { return tensors_.at(name).shape; }
  DType dtype(const std::string& name) const { return tensors_.at(name).dtype; }

 private:
  void add(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);
  std::map<std::string, StoredTensor> tensors_;
};

// What transformers' save_pretrained calls 5GB.
inline constexpr int64_t kMaxShardBytes = 5'000'000'000;

// Writes FOLDER/model.safetensors; where the tensors take more than max_shard_bytes,
// model-00001-of-0000N.safetensors, each at most that large or of one tensor, and their index.
// Weights in safetensors that an earlier save left in the folder go.
void save_weights(const std::filesystem::path& folder, std::span<const NamedTensor> tensors,
                  int64_t max_shard_bytes = kMaxShardBytes);

// The first of FOLDER/STEM.safetensors and FOLDER/STEM.bin that is there; the first of them where
// none is, for the message of whoever opens it.
std::filesystem::path weight_file(const std::filesystem::path& folder, const std::string& stem);

}  // namespace lk
