// A template cut into its pieces: "{text_a} ? [MASK]" is the slot text_a and the literal " ?
// [MASK]".
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lk {

using Fields = std::map<std::string, std::string>;  // slot to text

struct TemplatePiece {
  bool slot;
  std::string text;  // of a literal; a slot's name
  size_t at;         // where it begins in the template, in bytes
};

// {{ and }} stand for braces, each a literal of its own. Error where a brace is open.
std::vector<TemplatePiece> split_template(const std::string& text);

// What fills a slot. Error where the record has no such field; it names those there are.
const std::string& filling(const Fields& fields, const std::string& slot);

}  // namespace lk
