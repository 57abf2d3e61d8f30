// Metaspace: a visible mark stands for each space (SentencePiece, Kudo and Richardson 2018). Used
// by a pre-tokenizer and by a decoder.
#pragma once

#include <string>
#include <string_view>

namespace lk {

class JsonNode;

struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };

  std::string replacement;  // the mark, one character, U+2581 by default
  Prepend prepend = Prepend::kAlways;

  // Reads `replacement`, `prepend_scheme` and the older `add_prefix_space`.
  static Metaspace parse(const JsonNode& node);
  // The text with marks for spaces, and one put before it where the scheme asks for it.
  std::string mark(std::string_view text, bool at_start) const;
};

}  // namespace lk
