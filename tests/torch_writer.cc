#include "tests/torch_writer.h"

namespace lk::test {
namespace {

template <class T>
std::string number(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

}  // namespace

std::string zip_of(const ZipEntries& entries) {
  std::string out, directory;
  for (const auto& [name, bytes] : entries) {
    // Version, flags, method, time, date, CRC, sizes, lengths of name and extra field.
    const std::string common = number<uint16_t>(0) + number<uint16_t>(0) + number<uint32_t>(0) +
                               number<uint32_t>(0) + number(static_cast<uint32_t>(bytes.size())) +
                               number(static_cast<uint32_t>(bytes.size())) +
                               number(static_cast<uint16_t>(name.size())) + number<uint16_t>(0);
    directory += "PK\x01\x02" + number<uint16_t>(0) + number<uint16_t>(0) + common +
                 number<uint16_t>(0) + number<uint16_t>(0) + number<uint16_t>(0) +
                 number<uint32_t>(0) + number(static_cast<uint32_t>(out.size())) + name;
    out += "PK\x03\x04" + number<uint16_t>(0) + common + name + bytes;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return out + directory + "PK\x05\x06" + number<uint32_t>(0) + number(count) + number(count) +
         number(static_cast<uint32_t>(directory.size())) +
         number(static_cast<uint32_t>(out.size())) + number<uint16_t>(0);
}

std::string torch_archive(const std::string& pickle, const std::vector<std::string>& storages) {
  ZipEntries entries{{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (size_t i = 0; i < storages.size(); ++i)
    entries.emplace_back("archive/data/" + std::to_string(i), storages[i]);
  return zip_of(entries);
}

namespace pickle {

std::string text(const std::string& s) { return "X" + number(static_cast<uint32_t>(s.size())) + s; }
std::string integer(int64_t n) { return "\x8a\x08" + number(n); }
std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = global("collections", "OrderedDict") + ")R(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}
std::string whole(const std::string& root) { return "\x80\x02" + root + "."; }

std::string tensor(const TensorFields& f) {
  const auto integers = [](const std::vector<int64_t>& values) {
    std::vector<std::string> items;
    for (const int64_t v : values) items.push_back(integer(v));
    return tuple(items);
  };
  const std::string storage = tuple({text("storage"), global("torch", f.type), text(f.storage),
                                     text("cpu"), integer(f.elements)}) +
                              "Q";
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, integer(f.offset), integers(f.sizes), integers(f.strides), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}

}  // namespace pickle

std::string torch_file_of(std::span<const NamedTensor> tensors) {
  std::vector<std::pair<std::string, std::string>> items;
  std::vector<std::string> storages;
  for (const NamedTensor& t : tensors) {
    pickle::TensorFields f{.type = t.tensor.dtype() == DType::f32    ? "FloatStorage"
                                   : t.tensor.dtype() == DType::bf16 ? "BFloat16Storage"
                                   : t.tensor.dtype() == DType::f16  ? "HalfStorage"
                                   : t.tensor.dtype() == DType::i64  ? "LongStorage"
                                                                     : "ByteStorage",
                           .storage = std::to_string(storages.size()),
                           .elements = t.tensor.numel(),
                           .sizes = {},
                           .strides = {}};
    int64_t stride = t.tensor.numel();
    for (int d = 0; d < t.tensor.shape().rank(); ++d) {
      stride /= t.tensor.dim(d);
      f.sizes.push_back(t.tensor.dim(d));
      f.strides.push_back(stride);
    }
    items.emplace_back(t.name, pickle::tensor(f));
    storages.emplace_back(static_cast<const char*>(t.tensor.raw()),
                          static_cast<size_t>(t.tensor.bytes()));
  }
  return torch_archive(pickle::whole(pickle::dict(items)), storages);
}

}  // namespace lk::test
