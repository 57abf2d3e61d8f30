#include "engine/files/weight_files.h"

#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "engine/files/torch_file.h"

namespace lk {
namespace {

std::map<std::string, StoredTensor> read_tensors(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".bin" || extension == ".pt" || extension == ".pth")
    return read_torch_file(file);
  const auto opened = SafetensorsFile::open(file);
  std::map<std::string, StoredTensor> out;
  for (const std::string& name : opened->names()) out.emplace(name, opened->stored(name));
  return out;
}

constexpr const char* kIndex = "model.safetensors.index.json";

std::string shard_name(size_t i, size_t count) {
  return count == 1 ? "model.safetensors"
                    : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, count);
}

// model.safetensors or a shard of it.
bool is_weight_file(const std::string& name) {
  return name == "model.safetensors" ||
         (name.starts_with("model-") && name.ends_with(".safetensors") &&
          name.find("-of-") != std::string::npos);
}

}  // namespace

WeightFiles WeightFiles::open(const std::filesystem::path& where) {
  WeightFiles out;
  if (!std::filesystem::is_directory(where)) {
    out.add(where);
    return out;
  }
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    const std::filesystem::path index = where / (std::string(name) + ".index.json");
    const bool single = std::filesystem::exists(where / name);
    if (!single && !std::filesystem::exists(index)) continue;
    if (single)
      out.add(where / name);
    else
      out.add_shards(index);
    return out;
  }
  fail(
      "{}: there are no weights: neither model.safetensors nor model.safetensors.index.json nor "
      "pytorch_model.bin nor pytorch_model.bin.index.json",
      where.string());
}

void WeightFiles::add_shards(const std::filesystem::path& index) {
  const nlohmann::json json = read_json(index);
  require(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(),
          "{}: 'weight_map' is missing; expected an object from tensor to file", index.string());
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [name, file] : json["weight_map"].items()) {
    require(file.is_string(), "{}: weight_map: '{}' is {}, expected a file name", index.string(),
            name, file.dump());
    const auto shard = file.get<std::string>();
    require(std::filesystem::path(shard).filename() == shard,
            "{}: weight_map: '{}' names '{}', expected a file in the same folder", index.string(),
            name, shard);
    shards[shard].push_back(name);
  }
  for (const auto& [shard, names] : shards) {
    add(index.parent_path() / shard);
    for (const std::string& name : names)
      require(has(name), "{}: weight_map puts '{}' into {}, which does not hold it", index.string(),
              name, shard);
  }
}

void WeightFiles::add(const std::filesystem::path& file) {
  for (auto& [name, tensor] : read_tensors(file))
    require(tensors_.emplace(name, std::move(tensor)).second,
            "{}: tensor '{}' stands in another shard too", file.string(), name);
}

std::vector<std::string> WeightFiles::names() const {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors_) out.push_back(name);
  return out;
}

void save_weights(const std::filesystem::path& folder, std::span<const NamedTensor> tensors,
                  int64_t max_shard_bytes) {
  std::vector<std::vector<NamedTensor>> shards(1);
  int64_t held = 0, total = 0;
  for (const NamedTensor& t : tensors) {
    if (!shards.back().empty() && held + t.tensor.bytes() > max_shard_bytes) {
      shards.emplace_back();
      held = 0;
    }
    held += t.tensor.bytes();
    total += t.tensor.bytes();
    shards.back().push_back(t);
  }
  nlohmann::json index{{"metadata", {{"total_size", total}}}};
  std::set<std::string> written;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    save_safetensors(folder / name, shards[i]);
    for (const NamedTensor& t : shards[i]) index["weight_map"][t.name] = name;
    written.insert(name);
  }
  if (shards.size() > 1)
    write_file_atomically(folder / kIndex, index.dump(2) + "\n");
  else
    std::filesystem::remove(folder / kIndex);
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (is_weight_file(name) && written.count(name) == 0) old.push_back(entry.path());
  }
  for (const auto& path : old) std::filesystem::remove(path);
}

std::filesystem::path weight_file(const std::filesystem::path& folder, const std::string& stem) {
  const std::filesystem::path first = folder / (stem + ".safetensors"),
                              second = folder / (stem + ".bin");
  return !std::filesystem::exists(first) && std::filesystem::exists(second) ? second : first;
}

}  // namespace lk
