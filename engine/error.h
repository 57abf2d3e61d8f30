// Errors. Two kinds: the caller's or the world's mistake (Error, thrown, printed by main, exit 1)
// and our own broken invariant (abort with place and values).
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace lk {

// What a user can cause or mend: a bad file, option or shape. The message is a whole sentence: what
// was found, where (file, field), what was expected, and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws Error with the formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::vformat(text, fmt::make_format_args(args...)));
}

// Throws Error unless `ok`.
template <class... Args>
void require(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    throw Error(fmt::vformat(text, fmt::make_format_args(args...)));
}

// A message text that remembers where it was written.
struct Located {
  fmt::string_view text;
  const char* file;
  int line;
  // (std::source_location is missing in clang 14.)
  constexpr Located(const char* message,  // NOLINT(google-explicit-constructor): a string literal
                    const char* at_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : text(message), file(at_file), line(at_line) {}
};

[[noreturn]] void abort_with(const Located& place, const std::string& message);

// Aborts with file, line and the formatted message unless `ok`: for what can only be our own bug.
template <class... Args>
void invariant(bool ok, const Located& text, Args&&... args) {
  if (!ok) [[unlikely]]
    abort_with(text, fmt::vformat(text.text, fmt::make_format_args(args...)));
}

}  // namespace lk
