// JSON to values and back.
#pragma once

#include <string>
#include <string_view>

#include "data/jinja/value.h"

namespace lk::jinja {

// Keys keep their order. Error as parse_json (engine/files/json.h); `name` stands for the text.
Value from_json(std::string_view text, const std::string& name);

// As Python's json.dumps.
struct JsonStyle {
  int64_t indent = -1;  // spaces a level; < 0: on one line
  std::string item_separator = ", ", key_separator = ": ";
  bool ensure_ascii = false, sort_keys = false;
};
std::string to_json(const Value& v, const JsonStyle& style = {});

}  // namespace lk::jinja
