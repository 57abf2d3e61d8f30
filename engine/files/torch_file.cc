#include "engine/files/torch_file.h"

#include <algorithm>
#include <optional>

#include "engine/files/mapped_file.h"
#include "engine/files/pickle.h"
#include "engine/files/zip.h"

namespace lk {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2",
                           kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr std::pair<std::string_view, DType> kStorages[] = {
    {"torch.DoubleStorage", DType::f64},    {"torch.FloatStorage", DType::f32},
    {"torch.BFloat16Storage", DType::bf16}, {"torch.HalfStorage", DType::f16},
    {"torch.LongStorage", DType::i64},      {"torch.IntStorage", DType::i32},
    {"torch.CharStorage", DType::i8},       {"torch.ByteStorage", DType::u8},
    {"torch.BoolStorage", DType::u8}};

const std::vector<std::string_view>& allowed_globals() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all{"collections.OrderedDict", kRebuildTensor, kRebuildParameter};
    for (const auto& [name, dtype] : kStorages) all.push_back(name);
    return all;
  }();
  return names;
}

// A tensor as the pickle tells it: elements of a storage.
struct Record {
  std::string name, storage;  // the storage's key
  DType dtype;
  int64_t storage_size, offset;  // elements
  std::vector<int64_t> sizes, strides;
};

class RecordReader {
 public:
  RecordReader(const std::string& file, std::string name) : file_(file), name_(std::move(name)) {}

  Record read(const PickleValue& value) const {
    const PickleValue* call = &value;
    if (is_call(*call, kRebuildParameter) && !call->items[1]->items.empty())
      call = call->items[1]->items[0];
    check(is_call(*call, kRebuildTensor), "is no tensor; expected a flat state dict");
    // storage, storage_offset, size, stride, requires_grad, backward_hooks; metadata
    const std::vector<const PickleValue*>& arguments = call->items[1]->items;
    check(arguments.size() == 6 || (arguments.size() == 7 && arguments[6]->items.empty()),
          "is a kind of tensor that is not supported");
    check(arguments[0]->kind == Kind::persistent, "has no storage");
    // "storage", type, key, device, elements; a view of it in the old format
    const std::vector<const PickleValue*>& storage = arguments[0]->items;
    check(storage.size() == 5 || (storage.size() == 6 && storage[5]->kind == Kind::none),
          "has a kind of storage that is not supported");
    check(storage[0]->text == "storage" && storage[2]->kind == Kind::text,
          "has a malformed storage");
    return {name_,
            std::string(storage[2]->text),
            dtype_of(*storage[1]),
            integer(*storage[4]),
            integer(*arguments[1]),
            integers(*arguments[2]),
            integers(*arguments[3])};
  }

 private:
  void check(bool ok, const char* what) const { require(ok, "{}: '{}' {}", file_, name_, what); }
  static bool is_call(const PickleValue& v, std::string_view function) {
    return v.kind == Kind::call && v.items[0]->text == function;
  }
  DType dtype_of(const PickleValue& type) const {
    for (const auto& [name, dtype] : kStorages)
      if (type.kind == Kind::global && type.text == name) return dtype;
    check(false, "has a storage without a type");
    return {};
  }
  int64_t integer(const PickleValue& v) const {
    check(v.kind == Kind::integer && v.number >= 0,
          "has a size, stride or offset that is no count");
    return v.number;
  }
  std::vector<int64_t> integers(const PickleValue& v) const {
    check(v.kind == Kind::tuple, "has no shape");
    std::vector<int64_t> out;
    for (const PickleValue* item : v.items) out.push_back(integer(*item));
    return out;
  }
  const std::string& file_;
  std::string name_;
};

std::vector<Record> read_records(const PickleValue& root, const std::string& file) {
  require(root.kind == Kind::dict, "{}: holds no state dict, a dict from names to tensors", file);
  std::vector<Record> out;
  for (size_t i = 0; i < root.items.size(); i += 2) {
    require(root.items[i]->kind == Kind::text, "{}: a key of the state dict is no text", file);
    std::string name(root.items[i]->text);
    out.push_back(RecordReader(file, std::move(name)).read(*root.items[i + 1]));
  }
  return out;
}

bool is_row_major(const Record& r) {
  int64_t expected = 1;
  for (size_t d = r.sizes.size(); d-- > 0; expected *= r.sizes[d])
    if (r.sizes[d] != 1 && r.strides[d] != expected) return false;
  return true;
}

// bytes: of the storage.
StoredTensor place(const Record& r, std::string_view bytes, const std::string& file,
                   const std::shared_ptr<const void>& owner) {
  const int64_t element = size_of(r.dtype), held = static_cast<int64_t>(bytes.size()) / element;
  require(bytes.size() % static_cast<size_t>(element) == 0 && held == r.storage_size,
          "{}: tensor '{}': its storage '{}' should hold {} elements of {}, but has {} bytes", file,
          r.name, r.storage, r.storage_size, name_of(r.dtype), bytes.size());
  require(r.sizes.size() == r.strides.size(), "{}: tensor '{}' has {} sizes but {} strides", file,
          r.name, r.sizes.size(), r.strides.size());
  require(r.sizes.size() <= Shape::kMaxRank,
          "{}: tensor '{}' has {} dimensions, at most {} are supported", file, r.name,
          r.sizes.size(), Shape::kMaxRank);
  // The last element's place and the count, both within the storage; the count also because a
  // stride of 0 could make a small file ask for any amount of memory.
  int64_t count = 1, last = r.offset;
  bool fits = true;
  for (size_t d = 0; d < r.sizes.size(); ++d) {
    int64_t step = 0;
    fits = fits && !__builtin_mul_overflow(count, r.sizes[d], &count) &&
           !__builtin_mul_overflow(std::max<int64_t>(r.sizes[d] - 1, 0), r.strides[d], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  fits = fits && (count == 0 ? r.offset <= held : last < held && count <= held);
  require(fits, "{}: tensor '{}' reaches beyond the {} elements of its storage", file, r.name,
          held);
  StoredTensor t{{}, r.dtype, bytes.data() + r.offset * element, owner};
  for (const int64_t size : r.sizes) t.shape.push_back(size);
  if (count > 0 && !is_row_major(r)) t.strides = r.strides;
  return t;
}

// The storages of an archive: ARCHIVE/data.pkl names ARCHIVE/data/KEY.
std::vector<Record> read_archive(const std::shared_ptr<const MappedFile>& file,
                                 const std::string& path,
                                 std::map<std::string, std::string_view>& storages) {
  const auto entries = stored_entries({file->data(), file->size()}, path);
  std::optional<std::string> folder;
  for (const auto& [name, bytes] : entries)
    if (name.ends_with("/data.pkl")) folder = name.substr(0, name.size() - 8);
  require(folder.has_value(),
          "{}: is a ZIP archive without data.pkl, so it was not written by torch.save", path);
  const auto order = entries.find(*folder + "byteorder");
  require(order == entries.end() || order->second == "little",
          "{}: the numbers are big-endian, which is not supported", path);
  const Pickle pickle(entries.at(*folder + "data.pkl"), path, allowed_globals());
  std::vector<Record> records = read_records(pickle.root(), path);
  for (const Record& r : records) {
    const auto found = entries.find(*folder + "data/" + r.storage);
    require(found != entries.end(), "{}: tensor '{}': its storage '{}' is missing", path, r.name,
            *folder + "data/" + r.storage);
    storages[r.storage] = found->second;
  }
  return records;
}

// The format before PyTorch 1.6 begins with this pickle of a number; then come pickles of a
// version, of the machine's type sizes, of the state dict and of the list of storages, whose
// elements follow, each after its count.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
                                        15);

std::vector<Record> read_legacy(std::string_view bytes, const std::string& path,
                                std::map<std::string, std::string_view>& storages) {
  size_t at = kLegacyMagic.size();
  const auto next = [&] {
    Pickle pickle(bytes.substr(at), path, allowed_globals());
    at += pickle.size();
    return pickle;
  };
  const Pickle version = next();
  require(version.root().kind == Kind::integer && version.root().number == 1001,
          "{}: this version of PyTorch's old format is not supported; expected 1001", path);
  const Pickle machine = next();
  for (size_t i = 0; i + 1 < machine.root().items.size(); i += 2)
    require(machine.root().items[i]->text != "little_endian" ||
                machine.root().items[i + 1]->number == 1,
            "{}: the numbers are big-endian, which is not supported", path);
  const Pickle state = next(), keys = next();
  std::vector<Record> records = read_records(state.root(), path);
  std::map<std::string_view, DType> types;
  for (const Record& r : records) types.emplace(r.storage, r.dtype);
  require(keys.root().kind == Kind::list, "{}: the list of storages is missing", path);
  for (const PickleValue* key : keys.root().items) {
    const auto type = types.find(key->text);
    require(type != types.end(), "{}: the storage '{}' belongs to no tensor", path, key->text);
    int64_t count = -1;
    if (bytes.size() - at >= 8) std::memcpy(&count, bytes.data() + at, 8);
    at = std::min(bytes.size(), at + 8);
    const int64_t element = size_of(type->second);
    require(count >= 0 && count <= static_cast<int64_t>(bytes.size() - at) / element,
            "{}: the storage '{}' has {} elements, more than the file's rest; the file is "
            "truncated",
            path, key->text, count);
    storages[std::string(key->text)] = bytes.substr(at, static_cast<size_t>(count * element));
    at += static_cast<size_t>(count * element);
  }
  for (const Record& r : records)
    require(storages.count(r.storage) > 0, "{}: tensor '{}': its storage '{}' is missing", path,
            r.name, r.storage);
  return records;
}

}  // namespace

std::map<std::string, StoredTensor> read_torch_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string name = path.string();
  const std::string_view bytes(file->data(), file->size());
  std::map<std::string, std::string_view> storages;
  std::vector<Record> records;
  if (bytes.starts_with("PK"))
    records = read_archive(file, name, storages);
  else if (bytes.starts_with(kLegacyMagic))
    records = read_legacy(bytes, name, storages);
  else
    fail(
        "{}: is no file of torch.save: it begins neither as a ZIP archive nor as PyTorch's old "
        "format",
        name);
  std::map<std::string, StoredTensor> out;
  for (const Record& r : records)
    require(out.emplace(r.name, place(r, storages.at(r.storage), name, file)).second,
            "{}: two tensors are called '{}'", name, r.name);
  return out;
}

}  // namespace lk
