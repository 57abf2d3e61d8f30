// Regular expressions for module names, as adapter_config.json holds them (Python's re; here
// PCRE2's, which differ in nothing that such names need).
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace lk {

class NamePattern {
 public:
  // Error, beginning with `where`, when `text` is no regular expression.
  NamePattern(const std::string& text, const std::string& where);
  // The whole name, as re.fullmatch. Both are an Error when the search takes too many steps.
  bool matches(const std::string& name) const;
  // What the first group stands for in the first match anywhere in the name.
  std::optional<std::string> first_group(const std::string& name) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace lk
