// What torch.save wrote of a state dict (pytorch_model.bin, adapter_model.bin), read without
// running anything: the pickle inside may name tensors and nothing else (engine/files/pickle.h).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/files/stored_tensor.h"

namespace lk {

// Tensors by name, views of the mapped file. Both formats are read: the ZIP archive, and the one
// from before PyTorch 1.6. Bool tensors come as u8. Error, naming file and tensor, for what is
// truncated, for values that are no tensors, for a pickle that asks for code, and for tensors
// outside of their storage or larger than it.
std::map<std::string, StoredTensor> read_torch_file(const std::filesystem::path& path);

}  // namespace lk
