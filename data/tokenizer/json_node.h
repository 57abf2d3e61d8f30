// Checked access to a JSON document: every error names the file and the field. Heavy: include it
// from .cc files only.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace lk {

using Json = nlohmann::json;

class JsonNode {
 public:
  JsonNode(const Json& value, const std::string& file, std::string path)
      : value_(&value), file_(&file), path_(std::move(path)) {}

  const Json& json() const { return *value_; }
  const std::string& file() const { return *file_; }

  // The member of an object; absent and null are errors in `at`, nullopt in `find`.
  JsonNode at(std::string_view key) const;
  std::optional<JsonNode> find(std::string_view key) const;
  // An element of an array.
  JsonNode item(size_t index) const;
  size_t size() const { return value_->size(); }

  const std::string& text() const;
  bool boolean() const;
  int64_t integer(int64_t least, int64_t most) const;
  double number() const;
  // Exactly one code point.
  char32_t character() const;
  void expect_object() const;
  void expect_array() const;

  // The member's value, or `otherwise` where it is absent or null.
  bool boolean_or(std::string_view key, bool otherwise) const;
  std::string text_or(std::string_view key, std::string_view otherwise) const;
  int64_t integer_or(std::string_view key, int64_t least, int64_t most, int64_t otherwise) const;

  // "FILE: field PATH: ", the beginning of a message about this node.
  std::string where() const;
  // Throws Error: "FILE: field PATH: <message>".
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    throw Error(where() + fmt::vformat(text, fmt::make_format_args(args...)));
  }

 private:
  [[noreturn]] void wrong_type(const char* expected) const;

  const Json* value_;
  const std::string* file_;
  std::string path_;
};

}  // namespace lk
