#include "data/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "data/tokenizer/unicode.h"

namespace lk::byte_level {

namespace {

constexpr bool prints(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Tables {
  std::array<char16_t, 256> character{};
  std::array<int16_t, 0x144> byte{};  // -1: no byte
};

constexpr Tables make_tables() {
  Tables t;
  for (auto& b : t.byte) b = -1;
  char16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    t.character[byte] = prints(byte) ? static_cast<char16_t>(byte) : next++;
    t.byte[t.character[byte]] = static_cast<int16_t>(byte);
  }
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

char32_t character(unsigned char byte) { return kTables.character[byte]; }

void append_encoded(std::string& out, std::string_view text) {
  for (const char c : text) unicode::append(out, character(static_cast<unsigned char>(c)));
}

void append_decoded(std::string& out, std::string_view token) {
  const size_t before = out.size();
  for (size_t at = 0; at < token.size();) {
    const auto c = unicode::decode_at(token, at);
    at += c.length;
    if (c.value >= kTables.byte.size() || kTables.byte[c.value] < 0) {
      out.resize(before);
      out += token;
      return;
    }
    out += static_cast<char>(kTables.byte[c.value]);
  }
}

}  // namespace lk::byte_level
