// Writes what torch.save would, for tests: a ZIP archive of stored entries and a pickle of a state
// dict.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/safetensors.h"

namespace lk::test {

using ZipEntries = std::vector<std::pair<std::string, std::string>>;  // name, bytes
std::string zip_of(const ZipEntries& entries);
// An archive whose data.pkl is `pickle`, with these storages.
std::string torch_archive(const std::string& pickle, const std::vector<std::string>& storages = {});
// f32, bf16, f16, i64 or u8 tensors as a state dict.
std::string torch_file_of(std::span<const NamedTensor> tensors);

// Opcodes with their arguments.
namespace pickle {
std::string text(const std::string& s);
std::string integer(int64_t n);
std::string tuple(const std::vector<std::string>& items);
std::string global(const std::string& module, const std::string& name);
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
std::string whole(const std::string& root);
struct TensorFields {
  std::string type = "FloatStorage", storage = "0";
  int64_t elements = 4, offset = 0;
  std::vector<int64_t> sizes = {2, 2}, strides = {2, 1};
};
std::string tensor(const TensorFields& fields);
}  // namespace pickle

}  // namespace lk::test
