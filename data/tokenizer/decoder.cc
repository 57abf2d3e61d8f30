#include "data/tokenizer/decoder.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "data/tokenizer/bounds.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/json_node.h"
#include "data/tokenizer/metaspace.h"
#include "data/tokenizer/split.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

using Tokens = std::vector<std::string>;

// With one more for each token: what is put between them.
size_t size_of(const Tokens& tokens) {
  size_t size = tokens.size();
  for (const auto& t : tokens) size += t.size();
  return size;
}

std::string joined(const Tokens& tokens) {
  std::string out;
  out.reserve(size_of(tokens));
  for (const auto& t : tokens) out += t;
  return out;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t done = 0;
  for (size_t at; !from.empty() && (at = text.find(from, done)) != text.npos;
       done = at + from.size())
    out.append(text.substr(done, at - done)).append(to);
  return out += text.substr(done);
}

void decode_byte_level(Tokens& tokens) {
  std::string bytes;
  for (const auto& t : tokens) byte_level::append_decoded(bytes, t);
  tokens = {unicode::is_valid(bytes) ? std::move(bytes) : unicode::replace_invalid(bytes)};
}

Decoder parse_word_piece_decoder(const JsonNode& node) {
  const std::string prefix = node.text_or("prefix", "##");
  const bool cleanup = node.boolean_or("cleanup", true);
  return [prefix, cleanup](Tokens& tokens) {
    // Blanks before punctuation and inside English contractions go, in this order.
    static constexpr std::pair<std::string_view, std::string_view> kCleanups[] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string& t = tokens[i];
      if (i > 0) {
        if (t.starts_with(prefix))
          t.erase(0, prefix.size());
        else
          t.insert(0, 1, ' ');
      }
      if (cleanup)
        for (const auto& [from, to] : kCleanups) t = replaced(t, from, to);
    }
  };
}

Decoder parse_metaspace_decoder(const JsonNode& node) {
  const Metaspace m = Metaspace::parse(node);
  return [m](Tokens& tokens) {
    const bool first_dropped = m.prepend != Metaspace::Prepend::kNever;
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = replaced(tokens[i], m.replacement, i == 0 && first_dropped ? "" : " ");
  };
}

// The byte that a token such as <0x0A> stands for, or -1.
int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  unsigned value = 0;
  const char* first = token.data() + 3 + (token[3] == '+');
  const auto [end, error] = std::from_chars(first, token.data() + 5, value, 16);
  return error == std::errc() && end == token.data() + 5 ? static_cast<int>(value) : -1;
}

void decode_byte_fallback(Tokens& tokens) {
  Tokens out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (unicode::is_valid(bytes))
      out.push_back(bytes);
    else
      out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
    bytes.clear();
  };
  for (auto& t : tokens) {
    if (const int byte = fallback_byte(t); byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    flush();
    out.push_back(std::move(t));
  }
  flush();
  tokens = std::move(out);
}

Decoder parse_replace_decoder(const JsonNode& node) {
  Pattern pattern = parse_pattern(node.at("pattern"));
  return [pattern = std::move(pattern), content = node.at("content").text()](Tokens& tokens) {
    const size_t before = size_of(tokens);
    size_t now = 0;
    for (auto& t : tokens) {
      std::string out;
      pattern(t, [&](Stretch s) {
        out += s.is_match ? content : s.text;
        check_growth("decoder", before, now + out.size());
      });
      now += out.size();
      t = std::move(out);
    }
  };
}

Decoder parse_strip_decoder(const JsonNode& node) {
  std::string content;
  unicode::append(content, node.at("content").character());
  const int64_t start = node.at("start").integer(0, INT32_MAX);
  const int64_t stop = node.at("stop").integer(0, INT32_MAX);
  return [content, start, stop](Tokens& tokens) {
    for (auto& t : tokens) {
      std::string_view rest = t;
      for (int64_t i = 0; i < start && rest.starts_with(content); ++i)
        rest.remove_prefix(content.size());
      for (int64_t i = 0; i < stop && rest.ends_with(content); ++i)
        rest.remove_suffix(content.size());
      t = std::string(rest);
    }
  };
}

Decoder parse_bpe_decoder(const JsonNode& node) {
  const std::string suffix = node.text_or("suffix", "</w>");
  return [suffix](Tokens& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = replaced(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
  };
}

Decoder parse_one(const JsonNode& node, const std::string& type) {
  if (type == "ByteLevel") return decode_byte_level;
  if (type == "WordPiece") return parse_word_piece_decoder(node);
  if (type == "Metaspace") return parse_metaspace_decoder(node);
  if (type == "ByteFallback") return decode_byte_fallback;
  if (type == "Fuse") return [](Tokens& tokens) { tokens = {joined(tokens)}; };
  if (type == "Replace") return parse_replace_decoder(node);
  if (type == "Strip") return parse_strip_decoder(node);
  if (type == "BPEDecoder") return parse_bpe_decoder(node);
  node.fail(
      "unsupported decoder \"{}\" (supported: ByteLevel, WordPiece, Metaspace, ByteFallback, Fuse, "
      "Replace, Strip, BPEDecoder, Sequence)",
      type);
}

// Appends the decoders of a node in the order they work in.
void parse_nested(const JsonNode& node, int depth, ComponentCount& count,
                  std::vector<Decoder>& steps) {
  count.enter(node, depth);
  const std::string& type = node.at("type").text();
  if (type != "Sequence") {
    steps.push_back(parse_one(node, type));
    return;
  }
  const JsonNode list = node.at("decoders");
  list.expect_array();
  for (size_t i = 0; i < list.size(); ++i) parse_nested(list.item(i), depth + 1, count, steps);
}

}  // namespace

Decoder parse_decoder(const JsonNode& node) {
  std::vector<Decoder> steps;
  ComponentCount count;
  parse_nested(node, 0, count, steps);
  return [steps = std::move(steps)](Tokens& tokens) {
    const size_t before = size_of(tokens);
    for (const auto& step : steps) {
      step(tokens);
      check_growth("decoder", before, size_of(tokens));
    }
  };
}

}  // namespace lk
