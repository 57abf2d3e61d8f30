// Helpers shared by the tests.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace lk::test {

// A fresh folder under build/tmp, removed with everything in it at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);

inline bool contains(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

// The message of the lk::Error that `f` throws; fails the test when it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  FAIL_CHECK("expected an lk::Error, none was thrown");
  return {};
}

// Whether the library is built with the address sanitizer (make sanitize), whose shadow of what is
// allocated counts as the process's memory.
bool sanitized();

// What `f` prints to stderr before it aborts, run in a process of its own; fails the test when it
// does not abort.
std::string abort_message_of(const std::function<void()>& f);

}  // namespace lk::test
