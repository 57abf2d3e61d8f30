// Safetensors files: read without a copy, checked before a byte is believed; written atomically.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/files/stored_tensor.h"

namespace lk {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

class SafetensorsFile {
 public:
  // Error when the header lies: lengths, offsets, overlaps, gaps, dtypes, counts; it names file and
  // tensor.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return entries_.count(name) > 0; }
  Tensor get(const std::string& name) const { return stored(name).get(); }
  StoredTensor stored(const std::string& name) const;
  const Shape& shape(const std::string& name) const { return entry(name).shape; }
  DType dtype(const std::string& name) const { return entry(name).dtype; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  struct Entry {
    Shape shape;
    DType dtype;
    size_t begin, end;
  };
  const Entry& entry(const std::string& name) const;
  void parse();
  std::shared_ptr<const class MappedFile> file_;
  std::string path_;
  size_t data_begin_ = 0;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Deterministic bytes: tensors by falling element size, then by name, as the reference writer does.
void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace lk
