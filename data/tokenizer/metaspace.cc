#include "data/tokenizer/metaspace.h"

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/unicode.h"

namespace lk {

Metaspace Metaspace::parse(const JsonNode& node) {
  Metaspace m;
  const auto mark = node.find("replacement");
  unicode::append(m.replacement, mark ? mark->character() : U'\u2581');
  if (const auto scheme = node.find("prepend_scheme")) {
    const std::string& name = scheme->text();
    if (name == "never")
      m.prepend = Prepend::kNever;
    else if (name == "first")
      m.prepend = Prepend::kFirst;
    else if (name != "always")
      scheme->fail("found \"{}\", expected \"always\", \"first\" or \"never\"", name);
  }
  if (!node.boolean_or("add_prefix_space", true)) {
    if (node.find("prepend_scheme") && m.prepend != Prepend::kNever)
      node.fail("add_prefix_space is false, but prepend_scheme is not \"never\"");
    m.prepend = Prepend::kNever;
  }
  return m;
}

std::string Metaspace::mark(std::string_view text, bool at_start) const {
  std::string out;
  out.reserve(text.size() + text.size() / 2 + 4);
  const bool wanted = prepend == Prepend::kAlways || (prepend == Prepend::kFirst && at_start);
  if (wanted && !text.starts_with(' ') && !text.starts_with(replacement)) out += replacement;
  for (const char c : text) {
    if (c == ' ')
      out += replacement;
    else
      out += c;
  }
  return out;
}

}  // namespace lk
