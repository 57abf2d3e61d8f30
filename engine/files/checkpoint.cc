#include "engine/files/checkpoint.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace lk {
namespace {

std::string hash_of(const void* data, size_t bytes) {
  return fmt::format("{:016x}", XXH3_64bits(data, bytes));
}

std::string hash_of(const std::map<std::string, std::string>& state) {
  std::string all;
  for (const auto& [key, value] : state) all += key + '\0' + value + '\0';
  return hash_of(all.data(), all.size());
}

std::vector<std::filesystem::path> checkpoints(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("checkpoint-", 0) == 0 && entry.path().extension() == ".safetensors")
      out.push_back(entry.path());
  }
  std::sort(out.rbegin(), out.rend());  // steps have leading zeros: the newest first
  return out;
}

}  // namespace

const Tensor& Checkpoint::tensor(const std::string& name) const {
  for (const NamedTensor& t : tensors)
    if (t.name == name) return t.tensor;
  fail("{}: the checkpoint has no tensor '{}'; it belongs to another run", file.string(), name);
}

const std::string& Checkpoint::text(const std::string& key) const {
  const auto found = state.find(key);
  require(found != state.end(), "{}: the checkpoint has no '{}'; it belongs to another run",
          file.string(), key);
  return found->second;
}

int64_t Checkpoint::integer(const std::string& key) const {
  const std::string& s = text(key);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  require(error == std::errc() && end == s.data() + s.size(),
          "{}: '{}' is '{}', expected a whole number", file.string(), key, s);
  return value;
}

void save_checkpoint(const std::filesystem::path& file,
                     const std::map<std::string, std::string>& state,
                     const std::vector<NamedTensor>& tensors) {
  std::map<std::string, std::string> metadata{{"hash", hash_of(state)}};
  for (const auto& [key, value] : state) metadata["state." + key] = value;
  for (const NamedTensor& t : tensors) {
    const Tensor host = t.tensor.to(Device::cpu);
    metadata["hash." + t.name] = hash_of(host.raw(), static_cast<size_t>(host.bytes()));
  }
  save_safetensors(file, tensors, metadata);
}

Checkpoint load_checkpoint(const std::filesystem::path& file) {
  const auto source = SafetensorsFile::open(file);
  Checkpoint out;
  out.file = file;
  for (const auto& [key, value] : source->metadata())
    if (key.rfind("state.", 0) == 0) out.state[key.substr(6)] = value;
  const auto& metadata = source->metadata();
  const auto stored = [&](const std::string& key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  require(stored("hash") == hash_of(out.state),
          "{}: the checkpoint's state is damaged (its hash differs)", file.string());
  for (const std::string& name : source->names()) {
    const Tensor t = source->get(name);
    require(stored("hash." + name) == hash_of(t.raw(), static_cast<size_t>(t.bytes())),
            "{}: tensor '{}' is damaged (its hash differs)", file.string(), name);
    out.tensors.push_back({name, t});
  }
  return out;
}

std::filesystem::path checkpoint_path(const std::filesystem::path& folder, int64_t step) {
  return folder / fmt::format("checkpoint-{:08}.safetensors", step);
}

std::optional<Checkpoint> latest_checkpoint(const std::filesystem::path& folder,
                                            std::vector<std::string>& damaged) {
  for (const auto& file : checkpoints(folder)) {
    try {
      return load_checkpoint(file);
    } catch (const Error& e) {
      damaged.emplace_back(e.what());
    }
  }
  return std::nullopt;
}

void prune_checkpoints(const std::filesystem::path& folder, int64_t keep) {
  const auto all = checkpoints(folder);
  std::error_code ignored;
  for (size_t i = static_cast<size_t>(std::max<int64_t>(keep, 1)); i < all.size(); ++i)
    std::filesystem::remove(all[i], ignored);
}

}  // namespace lk
