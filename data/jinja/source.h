// The text of a template and where in it a mistake is.
#pragma once

#include <string>

namespace lk::jinja {

struct Source {
  std::string name;  // the file, for messages
  std::string text;

  // Throws Error: name:line, the message, and the line itself.
  [[noreturn]] void fail_at(int32_t line, const std::string& message) const;
};

}  // namespace lk::jinja
