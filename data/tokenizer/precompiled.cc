#include "data/tokenizer/precompiled.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

std::string decode_base64(std::string_view text, const JsonNode& node) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) node.fail("not base64 text");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return out;
}

class CharMap {
 public:
  CharMap(const std::string& bytes, const JsonNode& node) {
    const auto word = [&](size_t at) {
      uint32_t value = 0;
      for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
      return value;
    };
    if (bytes.size() < 4) node.fail("the map has {} bytes, expected at least 4", bytes.size());
    const size_t size = word(0);
    if (size % 4 != 0 || size == 0 || size > bytes.size() - 4)
      node.fail("the trie says it has {} bytes, but {} follow", size, bytes.size() - 4);
    for (size_t at = 4; at < 4 + size; at += 4) units_.push_back(word(at));
    replacements_ = bytes.substr(4 + size);
    if (!unicode::is_valid(replacements_)) node.fail("the replacements are not UTF-8");
  }

  // What replaces the shortest known prefix of `text`; nullopt when there is none.
  std::optional<std::string_view> find(std::string_view text) const {
    size_t at = offset(units_[0]);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) return std::nullopt;
      at ^= byte;
      if (at >= units_.size() || (units_[at] & 0x800000FFu) != byte) return std::nullopt;
      const uint32_t unit = units_[at];
      at ^= offset(unit);
      if (unit >> 8 & 1) {
        const size_t value = at < units_.size() ? units_[at] & 0x7FFFFFFFu : replacements_.size();
        if (value >= replacements_.size()) return std::nullopt;
        const auto rest = std::string_view(replacements_).substr(value);
        return rest.substr(0, rest.find('\0'));
      }
    }
    return std::nullopt;
  }

 private:
  static size_t offset(uint32_t unit) {
    return static_cast<size_t>(unit >> 10) << ((unit & 0x200) >> 6);
  }

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace

Normalizer parse_precompiled(const JsonNode& node) {
  const JsonNode field = node.at("precompiled_charsmap");
  const auto map = std::make_shared<const CharMap>(decode_base64(field.text(), field), field);
  return [map](NormalText& t) {
    const std::string_view text = t.text;
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
      // A short grapheme is looked up whole, then by its characters, as the reference does.
      const size_t length = unicode::grapheme_length(text, at);
      const auto grapheme = text.substr(at, length);
      if (const auto whole = length < 6 ? map->find(grapheme) : std::nullopt) {
        out += *whole;
      } else {
        for (size_t i = 0; i < length;) {
          const auto part = grapheme.substr(i, unicode::length_from_lead(grapheme[i]));
          out += map->find(part).value_or(part);
          i += part.size();
        }
      }
      at += length;
    }
    t.text = std::move(out);
  };
}

}  // namespace lk
