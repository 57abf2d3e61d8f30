// A run's whole state in one file, checked when it is read, and the newest good one of a folder.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"

namespace lk {

struct Checkpoint {
  std::map<std::string, std::string> state;  // numbers and texts
  std::vector<NamedTensor> tensors;
  const Tensor& tensor(const std::string& name) const;    // Error when missing
  const std::string& text(const std::string& key) const;  // Error when missing
  int64_t integer(const std::string& key) const;
  std::filesystem::path file;
};

// A safetensors file whose metadata holds the state and an XXH3 hash of each tensor and of the
// state.
void save_checkpoint(const std::filesystem::path& file,
                     const std::map<std::string, std::string>& state,
                     const std::vector<NamedTensor>& tensors);
// Error when a hash differs; it names the part.
Checkpoint load_checkpoint(const std::filesystem::path& file);

std::filesystem::path checkpoint_path(const std::filesystem::path& folder,
                                      int64_t step);  // FOLDER/checkpoint-000040.safetensors
// The newest checkpoint that reads well; damaged newer ones are put into `damaged`.
std::optional<Checkpoint> latest_checkpoint(const std::filesystem::path& folder,
                                            std::vector<std::string>& damaged);
void prune_checkpoints(const std::filesystem::path& folder,
                       int64_t keep);  // removes all but the newest `keep`

}  // namespace lk
