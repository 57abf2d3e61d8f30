// What the fuzz targets share. A target gets any bytes whatever: it may say no with an lk::Error;
// everything else (another exception, an abort, a sanitizer's report, time or memory without
// measure) is a finding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace lk::fuzz {

// While it lives, more than `bytes` allocated and not freed at a time end the process.
class MemoryLimit {
 public:
  explicit MemoryLimit(size_t bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
};

// Whether `f` came to its end; false when it refused its input with an lk::Error.
template <class F>
bool accepts(F&& f) {
  try {
    f();
    return true;
  } catch (const Error& e) {
    invariant(*e.what() != '\0', "an error without a message");
    return false;
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Cuts the first JSON object or list off `text`, up to the bracket that closes it (all of it where
// none does).
std::string_view take_json(std::string_view& text);

// A safetensors file of `bytes`: as they are, or, where they begin with a bracket, a header and
// what follows it, with the header's true length put before them.
std::string safetensors_of(std::string_view bytes);

// A folder of the process's own, removed when it ends.
const std::filesystem::path& folder();
// A new file in it; one of that name before, perhaps still mapped, stays as it was.
std::filesystem::path write(const std::string& name, std::string_view bytes);

}  // namespace lk::fuzz
