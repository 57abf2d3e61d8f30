// Text in HTML and SVG.
#pragma once

#include <string>

namespace lk {

inline std::string escape_markup(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

}  // namespace lk
