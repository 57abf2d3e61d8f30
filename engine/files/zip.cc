#include "engine/files/zip.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/error.h"

namespace lk {
namespace {

// Little-endian numbers at places that may lie outside.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  template <class T>
  T at(uint64_t place, const char* what) const {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, slice(place, sizeof(T), what).data(), sizeof(T));
    return value;
  }
  std::string_view slice(uint64_t place, uint64_t count, const char* what) const {
    require(place <= bytes_.size() && count <= bytes_.size() - place,
            "{}: {} lies at bytes {}..{} of {}; the file is truncated or its directory is wrong",
            name_, what, place, place + count, bytes_.size());
    return bytes_.substr(place, count);
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& name_;
};

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint32_t kInExtra = 0xffffffff;  // the number stands in the ZIP64 part
constexpr uint64_t kEndSize = 22, kLocatorSize = 20, kLongestComment = 65535;

struct Directory {
  uint64_t entries, bytes, place;
};

Directory find_directory(const Bytes& file, const std::string& name) {
  uint64_t end = file.size();
  const uint64_t first = end - std::min(end, kEndSize + kLongestComment);
  for (end -= std::min(end, kEndSize); file.size() < kEndSize || file.at<uint32_t>(end, "") != kEnd;
       --end)
    require(file.size() >= kEndSize && end > first,
            "{}: this ZIP archive has no directory at its end; the download may be incomplete",
            name);
  Directory d{file.at<uint16_t>(end + 10, "the count"), file.at<uint32_t>(end + 12, "the size"),
              file.at<uint32_t>(end + 16, "the place")};
  uint32_t disk = file.at<uint16_t>(end + 4, "the part's number");
  if (end >= kLocatorSize &&
      file.at<uint32_t>(end - kLocatorSize, "the ZIP64 locator") == kLocator64) {
    const auto end64 = file.at<uint64_t>(end - kLocatorSize + 8, "the ZIP64 directory's place");
    require(file.at<uint32_t>(end64, "the ZIP64 directory's end") == kEnd64,
            "{}: there is no ZIP64 directory at byte {}, where its locator points", name, end64);
    disk = file.at<uint32_t>(end64 + 16, "the part's number");
    d = {file.at<uint64_t>(end64 + 32, "the count"), file.at<uint64_t>(end64 + 40, "the size"),
         file.at<uint64_t>(end64 + 48, "the place")};
  }
  require(disk == 0, "{}: this is one part of a ZIP archive in several files", name);
  return d;
}

struct Entry {
  std::string name;
  uint64_t size, packed, header;
};

// What does not fit into 32 bits stands in the entry's extra field 1, in this order.
void read_zip64(const Bytes& extra, Entry& e) {
  for (uint64_t at = 0; at + 4 <= extra.size();) {
    const auto kind = extra.at<uint16_t>(at, "an extra field");
    const auto length = extra.at<uint16_t>(at + 2, "an extra field");
    at += 4;
    if (kind == 1) {
      uint64_t next = at;
      for (uint64_t* value : {&e.size, &e.packed, &e.header})
        if (*value == kInExtra) {
          *value = extra.at<uint64_t>(next, "a ZIP64 field");
          next += 8;
        }
    }
    at += length;
  }
}

}  // namespace

std::map<std::string, std::string_view> stored_entries(std::string_view archive,
                                                       const std::string& name) {
  const Bytes file(archive, name);
  const Directory directory = find_directory(file, name);
  const Bytes entries(file.slice(directory.place, directory.bytes, "the directory"), name);
  std::map<std::string, std::string_view> out;
  uint64_t at = 0;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    require(entries.at<uint32_t>(at, "a directory entry") == kCentral,
            "{}: entry {} of the ZIP directory is malformed", name, i);
    const auto flags = entries.at<uint16_t>(at + 8, "flags"),
               method = entries.at<uint16_t>(at + 10, "a method"),
               name_length = entries.at<uint16_t>(at + 28, "a length"),
               extra_length = entries.at<uint16_t>(at + 30, "a length"),
               comment_length = entries.at<uint16_t>(at + 32, "a length");
    Entry e{std::string(entries.slice(at + 46, name_length, "an entry's name")),
            entries.at<uint32_t>(at + 24, "a size"), entries.at<uint32_t>(at + 20, "a size"),
            entries.at<uint32_t>(at + 42, "a place")};
    read_zip64(Bytes(entries.slice(at + 46 + name_length, extra_length, "an extra field"), name),
               e);
    require((flags & 1) == 0, "{}: entry '{}' is encrypted", name, e.name);
    require(method == 0 && e.size == e.packed,
            "{}: entry '{}' is compressed (method {}); expected stored entries, as torch.save "
            "writes them",
            name, e.name, method);
    require(file.at<uint32_t>(e.header, "an entry's header") == kLocal,
            "{}: entry '{}' has no header at byte {}, where the directory points", name, e.name,
            e.header);
    const uint64_t begin = e.header + 30 + file.at<uint16_t>(e.header + 26, "a length") +
                           file.at<uint16_t>(e.header + 28, "a length");
    const std::string_view bytes = file.slice(begin, e.size, "an entry");
    require(out.emplace(e.name, bytes).second, "{}: two entries are called '{}'", name, e.name);
    at += uint64_t{46} + name_length + extra_length + comment_length;
  }
  return out;
}

}  // namespace lk
