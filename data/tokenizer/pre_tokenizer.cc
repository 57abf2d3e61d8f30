#include "data/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/bounds.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/json_node.h"
#include "data/tokenizer/metaspace.h"
#include "data/tokenizer/scanner.h"
#include "data/tokenizer/split.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

// The parts of `piece`, of which only the one at its very beginning can be at the start.
void split_piece(Piece piece, const Pattern& pattern, Behavior behavior, bool invert,
                 PieceSink sink) {
  split(piece.text, pattern, behavior, invert, [&](std::string_view part) {
    sink({part, piece.at_start && part.data() == piece.text.data()});
  });
}

PieceStep split_step(Pattern pattern, Behavior behavior, bool invert = false) {
  return [pattern = std::move(pattern), behavior, invert](Piece piece, PieceSink sink) {
    split_piece(piece, pattern, behavior, invert, sink);
  };
}

PieceStep char_split(bool (*predicate)(char32_t), Behavior behavior) {
  return split_step(match_characters(predicate), behavior);
}

PieceStep parse_byte_level(const JsonNode& node) {
  const bool prefix = node.boolean_or("add_prefix_space", true);
  const Scanner scanner = node.boolean_or("use_regex", true) ? find_scanner(kGpt2Pattern) : nullptr;
  return [prefix, scanner](Piece piece, PieceSink sink) {
    std::string prefixed;
    if (prefix && !piece.text.starts_with(' ')) {
      prefixed.reserve(piece.text.size() + 1);
      prefixed.append(" ").append(piece.text);
      piece.text = prefixed;
    }
    if (!scanner) return sink(piece);
    scanner(piece.text, [&](std::string_view part) {
      sink({part, piece.at_start && part.data() == piece.text.data()});
    });
  };
}

// Writes the bytes of each piece as byte-level characters.
PieceStep encode_bytes(PieceStep before) {
  return [before = std::move(before)](Piece piece, PieceSink sink) {
    before(piece, [&](Piece part) {
      std::string encoded;
      byte_level::append_encoded(encoded, part.text);
      sink({encoded, part.at_start});
    });
  };
}

PieceStep parse_metaspace(const JsonNode& node) {
  const Metaspace m = Metaspace::parse(node);
  const bool split_words = node.boolean_or("split", true);
  return [m, split_words](Piece piece, PieceSink sink) {
    const std::string text = m.mark(piece.text, piece.at_start);
    if (!split_words) return sink({text, piece.at_start});
    // Cut before each mark.
    size_t begin = 0;
    for (size_t at = text.find(m.replacement, 1); begin < text.size();
         at = text.find(m.replacement, begin + 1)) {
      const size_t end = at == text.npos ? text.size() : at;
      sink({std::string_view(text).substr(begin, end - begin), piece.at_start && begin == 0});
      begin = end;
    }
  };
}

// `\w+|[^\w\s]+`: runs of word characters and runs of what is neither word nor space.
void match_words(std::string_view text, StretchSink sink) {
  const auto kind_of = [](char32_t c) {
    return unicode::is_word(c) ? 0 : unicode::is_white_space(c) ? 1 : 2;
  };
  for (size_t begin = 0; begin < text.size();) {
    const auto first = unicode::decode_at(text, begin);
    const int kind = kind_of(first.value);
    size_t end = begin + first.length;
    while (end < text.size()) {
      const auto next = unicode::decode_at(text, end);
      if (kind_of(next.value) != kind) break;
      end += next.length;
    }
    sink({text.substr(begin, end - begin), kind != 1});
    begin = end;
  }
}

PieceStep chain(std::vector<PieceStep> steps) {
  if (steps.empty()) return [](Piece piece, PieceSink sink) { sink(piece); };
  PieceStep all = std::move(steps[0]);
  for (size_t i = 1; i < steps.size(); ++i)
    all = [first = std::move(all), second = std::move(steps[i])](Piece piece, PieceSink sink) {
      first(piece, [&](Piece part) {
        if (!part.text.empty()) second(part, sink);
      });
    };
  return all;
}

PieceStep parse_step(const JsonNode& node, const std::string& type) {
  if (type == "Split")
    return split_step(parse_pattern(node.at("pattern")), parse_behavior(node.at("behavior")),
                      node.boolean_or("invert", false));
  if (type == "Whitespace") return split_step(match_words, Behavior::kRemoved, true);
  if (type == "WhitespaceSplit") return char_split(unicode::is_white_space, Behavior::kRemoved);
  if (type == "Punctuation") {
    const auto behavior = node.find("behavior");
    return char_split(unicode::is_bert_punctuation,
                      behavior ? parse_behavior(*behavior) : Behavior::kIsolated);
  }
  if (type == "Digits")
    return char_split(unicode::is_digit, node.boolean_or("individual_digits", false)
                                             ? Behavior::kIsolated
                                             : Behavior::kContiguous);
  if (type == "Metaspace") return parse_metaspace(node);
  if (type == "BertPreTokenizer") {
    std::vector<PieceStep> steps;
    steps.push_back(char_split(unicode::is_white_space, Behavior::kRemoved));
    steps.push_back(char_split(unicode::is_bert_punctuation, Behavior::kIsolated));
    return chain(std::move(steps));
  }
  if (type == "CharDelimiterSplit") {
    std::string delimiter;
    unicode::append(delimiter, node.at("delimiter").character());
    return split_step(match_text(delimiter), Behavior::kRemoved);
  }
  node.fail(
      "unsupported pre-tokenizer \"{}\" (supported: ByteLevel, Split, Whitespace, WhitespaceSplit, "
      "Punctuation, Digits, Metaspace, BertPreTokenizer, CharDelimiterSplit, Sequence)",
      type);
}

// Appends the pre-tokenizers of a node in the order they work in.
void parse_nested(const JsonNode& node, int depth, ComponentCount& count,
                  std::vector<PreTokenizer>& parts) {
  count.enter(node, depth);
  const std::string& type = node.at("type").text();
  if (type == "Sequence") {
    const JsonNode list = node.at("pretokenizers");
    list.expect_array();
    for (size_t i = 0; i < list.size(); ++i) parse_nested(list.item(i), depth + 1, count, parts);
    return;
  }
  const bool byte_level = type == "ByteLevel";
  // Each doubles what the one before made of it.
  if (byte_level && std::count_if(parts.begin(), parts.end(),
                                  [](const PreTokenizer& p) { return p.byte_level; }) == 2)
    node.fail("a third ByteLevel is not supported");
  parts.push_back({byte_level ? parse_byte_level(node) : parse_step(node, type), byte_level});
}

}  // namespace

PreTokenizer parse_pre_tokenizer(const JsonNode& node) {
  std::vector<PreTokenizer> parts;
  ComponentCount count;
  parse_nested(node, 0, count, parts);
  std::vector<PieceStep> steps;
  for (size_t i = 0; i < parts.size(); ++i) {
    // Only at the end can the byte-level characters be left to the model.
    const bool now = parts[i].byte_level && i + 1 < parts.size();
    steps.push_back(now ? encode_bytes(std::move(parts[i].step)) : std::move(parts[i].step));
  }
  return {chain(std::move(steps)), !parts.empty() && parts.back().byte_level};
}

}  // namespace lk
