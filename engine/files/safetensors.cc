#include "engine/files/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "engine/files/mapped_file.h"

namespace lk {
namespace {

using nlohmann::json;

// Elements of a shape, or -1 where the product does not fit.
int64_t checked_count(const std::vector<int64_t>& dims) {
  int64_t n = 1;
  for (const int64_t d : dims)
    if (__builtin_mul_overflow(n, d, &n)) return -1;
  return n;
}

std::vector<uint64_t> unsigned_list(const json& value, const std::string& path,
                                    const std::string& name, const char* field) {
  require(value.is_array(), "{}: tensor '{}': '{}' is {}, expected a list", path, name, field,
          value.type_name());
  std::vector<uint64_t> out;
  for (const json& item : value) {
    require(item.is_number_unsigned(), "{}: tensor '{}': '{}' holds {}, expected whole numbers",
            path, name, field, item.dump());
    out.push_back(item.get<uint64_t>());
  }
  return out;
}

}  // namespace

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  auto file = std::make_shared<SafetensorsFile>();
  file->path_ = path.string();
  file->file_ = MappedFile::open(path);
  file->parse();
  return file;
}

void SafetensorsFile::parse() {
  const size_t size = file_->size();
  require(size >= 8,
          "{}: {} bytes are too few for a safetensors file; the download may be incomplete", path_,
          size);
  uint64_t header_size;
  std::memcpy(&header_size, file_->data(), 8);
  constexpr uint64_t kMostHeader = 100'000'000;
  require(header_size <= kMostHeader,
          "{}: the header claims {} bytes; at most {} are allowed; is this a safetensors file?",
          path_, header_size, kMostHeader);
  require(header_size <= size - 8,
          "{}: the header claims {} bytes, the file has {}; the download may be incomplete", path_,
          header_size, size - 8);
  const json header =
      parse_json({file_->data() + 8, static_cast<size_t>(header_size)}, path_ + " (header)");
  require(header.is_object(), "{}: the header is {}, expected an object", path_,
          header.type_name());
  data_begin_ = 8 + static_cast<size_t>(header_size);
  const size_t data_size = size - data_begin_;

  std::vector<std::pair<std::pair<size_t, size_t>, std::string>> ranges;
  for (const auto& [name, value] : header.items()) {
    require(value.is_object(), "{}: the header's entry '{}' is {}, expected an object", path_, name,
            value.type_name());
    if (name == "__metadata__") {
      for (const auto& [key, text] : value.items()) {
        require(text.is_string(), "{}: metadata '{}' is {}, expected a string", path_, key,
                text.type_name());
        metadata_[key] = text.get<std::string>();
      }
      continue;
    }
    for (const char* field : {"dtype", "shape", "data_offsets"})
      require(value.contains(field), "{}: tensor '{}' has no '{}'", path_, name, field);
    require(value["dtype"].is_string(), "{}: tensor '{}': 'dtype' is {}, expected a string", path_,
            name, value["dtype"].dump());
    const auto type = value["dtype"].get<std::string>();
    bool known = false;
    for (const DType t : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                          DType::i8, DType::u8})
      known = known || type == safetensors_name(t);
    require(known,
            "{}: tensor '{}' has dtype '{}', which is not supported (supported: F64 F32 BF16 F16 "
            "I64 I32 I8 U8)",
            path_, name, type);
    const auto dims = unsigned_list(value["shape"], path_, name, "shape");
    const auto offsets = unsigned_list(value["data_offsets"], path_, name, "data_offsets");
    require(offsets.size() == 2, "{}: tensor '{}': data_offsets has {} numbers, expected 2", path_,
            name, offsets.size());
    require(dims.size() <= Shape::kMaxRank,
            "{}: tensor '{}' has {} dimensions, at most {} are supported", path_, name, dims.size(),
            Shape::kMaxRank);
    std::vector<int64_t> signed_dims;
    for (const uint64_t d : dims) {
      require(d <= static_cast<uint64_t>(INT64_MAX), "{}: tensor '{}' has a dimension of {}", path_,
              name, d);
      signed_dims.push_back(static_cast<int64_t>(d));
    }
    Entry e{{},
            dtype_from_name(type),
            static_cast<size_t>(offsets[0]),
            static_cast<size_t>(offsets[1])};
    const int64_t count = checked_count(signed_dims);
    int64_t bytes = -1;
    if (count >= 0 && __builtin_mul_overflow(count, size_of(e.dtype), &bytes)) bytes = -1;
    require(bytes >= 0, "{}: tensor '{}' of shape {} has more elements than a file can hold", path_,
            name, value["shape"].dump());
    require(e.begin <= e.end && e.end <= data_size,
            "{}: tensor '{}' lies at bytes {}..{} of {} bytes of data; the file is truncated or "
            "its header is wrong",
            path_, name, e.begin, e.end, data_size);
    require(e.end - e.begin == static_cast<uint64_t>(bytes),
            "{}: tensor '{}' of {} {} needs {} bytes, its data_offsets give {}", path_, name, type,
            value["shape"].dump(), bytes, e.end - e.begin);
    for (const int64_t d : signed_dims) e.shape.push_back(d);
    ranges.push_back({{e.begin, e.end}, name});
    entries_.emplace(name, e);
  }
  std::sort(ranges.begin(), ranges.end());
  size_t at = 0;
  for (const auto& [range, name] : ranges) {
    require(range.first >= at,
            "{}: tensor '{}' overlaps the one before it (starts at {}, expected {})", path_, name,
            range.first, at);
    require(range.first == at, "{}: {} bytes before tensor '{}' belong to none", path_,
            range.first - at, name);
    at = range.second;
  }
  require(at == data_size, "{}: {} bytes after the last tensor belong to none", path_,
          data_size - at);
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const auto& [name, e] : entries_) out.push_back(name);
  return out;
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), "{}: there is no tensor '{}'", path_, name);
  return found->second;
}

StoredTensor SafetensorsFile::stored(const std::string& name) const {
  const Entry& e = entry(name);
  return {e.shape, e.dtype, file_->data() + data_begin_ + e.begin, file_};
}

void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const int64_t sa = size_of(a->tensor.dtype()), sb = size_of(b->tensor.dtype());
    return sa != sb ? sa > sb : a->name < b->name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t at = 0;
  for (const NamedTensor* t : order) {
    require(!header.contains(t->name), "{}: two tensors are called '{}'", path.string(), t->name);
    std::vector<int64_t> dims;
    for (int i = 0; i < t->tensor.shape().rank(); ++i) dims.push_back(t->tensor.dim(i));
    const auto bytes = static_cast<size_t>(t->tensor.bytes());
    header[t->name] = {{"dtype", safetensors_name(t->tensor.dtype())},
                       {"shape", dims},
                       {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, 8);
  file.write(text);
  for (const NamedTensor* t : order) {
    const Tensor host = t->tensor.to(Device::cpu);
    file.write(host.raw(), static_cast<size_t>(host.bytes()));
  }
  file.commit();
}

}  // namespace lk
