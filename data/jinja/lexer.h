// A template's text as tokens, white space controlled as with trim_blocks and lstrip_blocks set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/jinja/source.h"

namespace lk::jinja {

enum class TokenKind : uint8_t {
  text,  // outside of tags
  block_begin,
  block_end,
  print_begin,
  print_end,
  name,
  string,   // unescaped
  integer,  // digits without underscores, prefix kept
  decimal,
  symbol,  // an operator or bracket
  end
};

struct Token {
  TokenKind kind;
  std::string text;
  int32_t line;

  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
  bool is_symbol(std::string_view s) const { return kind == TokenKind::symbol && text == s; }
};

// The text with line ends made \n and one at the very end dropped, as Jinja does it. Error when the
// text is not UTF-8.
std::string normalize_lines(const std::string& text, const std::string& name);

// Error with line for an unclosed tag, string or bracket. The last token is `end`.
std::vector<Token> tokenize(const Source& source);

}  // namespace lk::jinja
