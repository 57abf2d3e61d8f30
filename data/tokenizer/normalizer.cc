#include "data/tokenizer/normalizer.h"

#include <utility>
#include <vector>

#include "data/tokenizer/bounds.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/json_node.h"
#include "data/tokenizer/precompiled.h"
#include "data/tokenizer/split.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

// Rewrites the text character by character: f(c, out) appends what c becomes.
template <class F>
void rewrite(NormalText& text, F&& f) {
  std::string out;
  out.reserve(text.text.size() + 8);
  for (size_t at = 0; at < text.text.size();) {
    const auto c = unicode::decode_at(text.text, at);
    f(c.value, out);
    if (at == 0 && out.empty()) text.at_start = false;
    at += c.length;
  }
  text.text = std::move(out);
}

Normalizer normal_form(unicode::Form form) {
  return [form](NormalText& t) { t.text = unicode::normal_form(t.text, form); };
}

void lowercase(NormalText& text) {
  rewrite(text, [](char32_t c, std::string& out) { unicode::append_lowercase(out, c); });
}

// Drops the characters for which `predicate` holds.
void drop(NormalText& text, bool (*predicate)(char32_t)) {
  rewrite(text, [predicate](char32_t c, std::string& out) {
    if (!predicate(c)) unicode::append(out, c);
  });
}

Normalizer parse_strip(const JsonNode& node) {
  const bool left = node.boolean_or("strip_left", true);
  const bool right = node.boolean_or("strip_right", true);
  return [left, right](NormalText& t) {
    size_t begin = 0, end = t.text.size();
    while (left && begin < end) {
      const auto c = unicode::decode_at(t.text, begin);
      if (!unicode::is_white_space(c.value)) break;
      begin += c.length;
    }
    while (right && end > begin) {
      size_t last = end - 1;
      while ((t.text[last] & 0xC0) == 0x80) --last;
      if (!unicode::is_white_space(unicode::decode_at(t.text, last).value)) break;
      end = last;
    }
    if (begin > 0) t.at_start = false;
    t.text = t.text.substr(begin, end - begin);
  };
}

Normalizer parse_replace(const JsonNode& node) {
  Pattern pattern = parse_pattern(node.at("pattern"));
  return [pattern = std::move(pattern), content = node.at("content").text()](NormalText& t) {
    std::string out;
    out.reserve(t.text.size());
    bool at_start = t.at_start;
    pattern(t.text, [&](Stretch s) {
      out += s.is_match ? content : s.text;
      if (out.empty() && !s.text.empty()) at_start = false;
      check_growth("normalizer", t.text.size(), out.size());
    });
    t.text = std::move(out);
    t.at_start = at_start;
  };
}

// The normalizer of BERT (Devlin et al. 2019).
struct BertNormalizer {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;

  static bool is_chinese(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
  }
  static void clean(char32_t c, std::string& out) {
    const bool blank = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xFFFD || (!blank && unicode::is_bert_control(c))) return;
    unicode::append(out, unicode::is_white_space(c) ? U' ' : c);
  }
  void operator()(NormalText& t) const {
    if (clean_text) rewrite(t, clean);
    if (handle_chinese_chars)
      rewrite(t, [](char32_t c, std::string& out) {
        if (is_chinese(c)) {
          out += ' ';
          unicode::append(out, c);
          out += ' ';
        } else {
          unicode::append(out, c);
        }
      });
    if (strip_accents) {
      t.text = unicode::normal_form(t.text, unicode::Form::kNfd);
      drop(t, unicode::is_bert_accent);
    }
    if (lowercase) lk::lowercase(t);
  }
};

// SentencePiece's "nmt" rules: control characters go, unusual spaces become spaces.
void nmt(NormalText& text) {
  rewrite(text, [](char32_t c, std::string& out) {
    const bool gone = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
                      c == 0x8F || c == 0x9F;
    if (gone) return;
    const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    unicode::append(out, space ? U' ' : c);
  });
}

Normalizer parse_one(const JsonNode& node, const std::string& type) {
  if (type == "NFC") return normal_form(unicode::Form::kNfc);
  if (type == "NFD") return normal_form(unicode::Form::kNfd);
  if (type == "NFKC") return normal_form(unicode::Form::kNfkc);
  if (type == "NFKD") return normal_form(unicode::Form::kNfkd);
  if (type == "Lowercase") return lowercase;
  if (type == "StripAccents") return [](NormalText& t) { drop(t, unicode::is_accent); };
  if (type == "Strip") return parse_strip(node);
  if (type == "Replace") return parse_replace(node);
  if (type == "Prepend")
    return [prefix = node.at("prepend").text()](NormalText& t) {
      if (!t.text.empty()) t.text.insert(0, prefix);
    };
  if (type == "BertNormalizer") {
    const bool lower = node.boolean_or("lowercase", true);
    return BertNormalizer{node.boolean_or("clean_text", true),
                          node.boolean_or("handle_chinese_chars", true),
                          node.boolean_or("strip_accents", lower), lower};
  }
  if (type == "ByteLevel")
    return [](NormalText& t) {
      std::string out;
      byte_level::append_encoded(out, t.text);
      t.text = std::move(out);
    };
  if (type == "Nmt") return nmt;
  if (type == "Precompiled") return parse_precompiled(node);
  node.fail(
      "unsupported normalizer \"{}\" (supported: NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, "
      "Strip, Replace, Prepend, BertNormalizer, ByteLevel, Nmt, Precompiled, Sequence)",
      type);
}

// Appends the normalizers of a node in the order they work in.
void parse_nested(const JsonNode& node, int depth, ComponentCount& count,
                  std::vector<Normalizer>& steps) {
  count.enter(node, depth);
  const std::string& type = node.at("type").text();
  if (type != "Sequence") {
    steps.push_back(parse_one(node, type));
    return;
  }
  const JsonNode list = node.at("normalizers");
  list.expect_array();
  for (size_t i = 0; i < list.size(); ++i) parse_nested(list.item(i), depth + 1, count, steps);
}

}  // namespace

Normalizer parse_normalizer(const JsonNode& node) {
  std::vector<Normalizer> steps;
  ComponentCount count;
  parse_nested(node, 0, count, steps);
  return [steps = std::move(steps)](NormalText& t) {
    const size_t before = t.text.size();
    for (const auto& step : steps) {
      step(t);
      check_growth("normalizer", before, t.text.size());
    }
  };
}

}  // namespace lk
