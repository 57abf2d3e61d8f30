#include "data/tokenizer/split.h"

#include <utility>

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/regex.h"
#include "data/tokenizer/scanner.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

Pattern match_scanner(Scanner scanner) {
  return [scanner](std::string_view text, StretchSink sink) {
    scanner(text, [&](std::string_view match) { sink({match, true}); });
  };
}

Pattern match_regex(Regex regex) {
  return [regex = std::move(regex)](std::string_view text, StretchSink sink) {
    size_t done = 0;
    regex.find_all(text, [&](size_t begin, size_t end) {
      if (begin > done) sink({text.substr(done, begin - done), false});
      sink({text.substr(begin, end - begin), true});
      done = end;
    });
    if (done < text.size()) sink({text.substr(done), false});
  };
}

// The bytes from the begin of `a` to the end of `b`, neighbours in one text.
std::string_view join(std::string_view a, std::string_view b) {
  return {a.data(), static_cast<size_t>(b.data() + b.size() - a.data())};
}

}  // namespace

Pattern match_text(std::string wanted) {
  return [wanted = std::move(wanted)](std::string_view text, StretchSink sink) {
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t at = wanted.empty() ? text.npos : text.find(wanted, begin);
      if (at == text.npos) break;
      if (at > begin) sink({text.substr(begin, at - begin), false});
      sink({text.substr(at, wanted.size()), true});
      begin = at + wanted.size();
    }
    if (begin < text.size()) sink({text.substr(begin), false});
  };
}

Behavior parse_behavior(const JsonNode& node) {
  const std::string& name = node.text();
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  node.fail(
      "unsupported behavior \"{}\" (supported: Removed, Isolated, MergedWithPrevious, "
      "MergedWithNext, Contiguous)",
      name);
}

Pattern match_characters(bool (*predicate)(char32_t)) {
  return [predicate](std::string_view text, StretchSink sink) {
    size_t begin = 0, at = 0;
    while (at < text.size()) {
      const auto c = unicode::decode_at(text, at);
      if (predicate(c.value)) {
        if (at > begin) sink({text.substr(begin, at - begin), false});
        sink({text.substr(at, c.length), true});
        begin = at + c.length;
      }
      at += c.length;
    }
    if (at > begin) sink({text.substr(begin), false});
  };
}

Pattern parse_pattern(const JsonNode& node) {
  if (node.json().is_string()) return match_text(node.text());
  if (const auto text = node.find("String")) return match_text(text->text());
  const JsonNode regex = node.at("Regex");
  if (const Scanner scanner = find_scanner(regex.text())) return match_scanner(scanner);
  return match_regex(Regex(regex.text(), regex.where()));
}

void split(std::string_view text, const Pattern& pattern, Behavior behavior, bool invert,
           TextSink sink) {
  // The piece held back because the next stretch may join it, and whether it ended with a match.
  std::string_view held;
  bool holding = false, held_match = false;
  const auto release = [&] {
    if (holding && !held.empty()) sink(held);
    holding = false;
  };
  pattern(text, [&](Stretch s) {
    const bool is_match = s.is_match != invert;
    bool joins = false;
    switch (behavior) {
      case Behavior::kRemoved:
        if (!is_match && !s.text.empty()) sink(s.text);
        return;
      case Behavior::kIsolated:
        if (!s.text.empty()) sink(s.text);
        return;
      case Behavior::kMergedWithPrevious:
        joins = is_match && !held_match;
        break;
      case Behavior::kMergedWithNext:
        joins = !is_match && held_match;
        break;
      case Behavior::kContiguous:
        joins = is_match == held_match;
        break;
    }
    if (holding && joins) {
      held = join(held, s.text);
    } else {
      release();
      held = s.text;
      holding = true;
    }
    held_match = is_match;
  });
  release();
}

}  // namespace lk
