// Cutting a text at the matches of a pattern, with what happens to the matches.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "data/tokenizer/piece.h"

namespace lk {

class JsonNode;

// What becomes of a match: dropped; a piece of its own; joined to the piece before or behind;
// joined to its like.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
Behavior parse_behavior(const JsonNode& node);

// A stretch of the text that is a match, or lies between matches.
struct Stretch {
  std::string_view text;
  bool is_match;
};
using StretchSink = FunctionRef<void(Stretch)>;

// Cuts text into stretches that cover it.
using Pattern = std::function<void(std::string_view text, StretchSink sink)>;

// A single character as pattern: each one that satisfies the predicate is a match.
Pattern match_characters(bool (*predicate)(char32_t));
// A fixed text as pattern.
Pattern match_text(std::string wanted);
// The member `pattern` of a component: {"String": ...} or {"Regex": ...}.
Pattern parse_pattern(const JsonNode& node);

// Hands the pieces of `text` that the behaviour makes of the stretches to `sink`.
void split(std::string_view text, const Pattern& pattern, Behavior behavior, bool invert,
           TextSink sink);

}  // namespace lk
