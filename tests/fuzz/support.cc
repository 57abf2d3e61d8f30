#include "tests/fuzz/support.h"

#include <sanitizer/allocator_interface.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "engine/memory.h"

namespace lk::fuzz {
namespace {

int64_t live = 0, most = -1;  // most < 0: nobody counts
int64_t tensors_before = 0;   // live when counting began; tensors are not had by malloc

void on_malloc(const volatile void* /*data*/, size_t size) {
  if (most < 0) return;
  live += static_cast<int64_t>(size);
  if (live <= most) return;
  most = -1;
  fmt::print(stderr, "==FUZZ== out of measure: {} bytes are allocated, the last {} at once\n", live,
             size);
  std::abort();
}

void on_free(const volatile void* data) {
  if (most >= 0 && data)
    live -= static_cast<int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(data)));
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
    require(mkdtemp(name.data()) != nullptr, "{}: cannot be made: {}", name, std::strerror(errno));
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

MemoryLimit::MemoryLimit(size_t bytes) {
  static const bool hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
  invariant(hooked, "the sanitizer takes no more hooks");
  live = 0;
  reset_memory_peak();
  tensors_before = memory_stats().total_live;
  most = static_cast<int64_t>(bytes);
}

MemoryLimit::~MemoryLimit() {
  const int64_t taken = memory_stats().total_peak - tensors_before;
  if (most < 0 || taken <= most) {
    most = -1;
    return;
  }
  fmt::print(stderr, "==FUZZ== out of measure: tensors of {} bytes at a time\n", taken);
  std::abort();
}

std::string_view take_json(std::string_view& text) {
  size_t depth = 0, end = text.size();
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
      end = i + 1;
      break;
    }
  }
  const std::string_view json = text.substr(0, end);
  text.remove_prefix(end);
  return json;
}

std::string safetensors_of(std::string_view bytes) {
  if (bytes.empty() || (bytes[0] != '{' && bytes[0] != '[')) return std::string(bytes);
  std::string_view rest = bytes;
  take_json(rest);
  const size_t blanks = std::min(rest.find_first_not_of(' '), rest.size());
  const uint64_t size = bytes.size() - rest.size() + blanks;
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file.append(bytes);
}

const std::filesystem::path& folder() {
  static const Folder folder;
  return folder.path;
}

std::filesystem::path write(const std::string& name, std::string_view bytes) {
  std::filesystem::path path = folder() / name;
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

}  // namespace lk::fuzz
