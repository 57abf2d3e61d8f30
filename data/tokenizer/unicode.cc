#include "data/tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "data/tokenizer/unicode_tables.h"

namespace lk::unicode {

namespace {

// Bytes of the well-formed sequence at `at`, or minus the bytes of the maximal malformed part.
int check_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return 1;
  int length = 0;
  unsigned char low = 0x80, high = 0xBF;  // allowed range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return -1;
  }
  for (int i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return -i;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

// Bytes from `at` on that are certainly ASCII, eight at a time.
size_t skip_ascii(std::string_view text, size_t at) {
  while (at + 8 <= text.size()) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if (word & 0x8080808080808080u) break;
    at += 8;
  }
  return at;
}

bool between(int category, int first, int last) { return category >= first && category <= last; }

// `says`, what the categories of Unicode 16 say, unless the table knows better.
bool flipped(bool says, char32_t c, Flip property) { return says != ((flips(c) & property) != 0); }

bool is_ascii_letter(char32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

}  // namespace

bool is_valid(std::string_view text) {
  size_t at = skip_ascii(text, 0);
  while (at < text.size()) {
    const int length = check_at(text, at);
    if (length < 0) return false;
    at += length;
    if (length == 1) at = skip_ascii(text, at);
  }
  return true;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const int length = check_at(text, at);
    if (length > 0)
      out.append(text, at, length);
    else
      out += "\xEF\xBF\xBD";
    at += std::abs(length);
  }
  return out;
}

int length_from_lead(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

CodePoint decode_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

void append(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

bool is_letter(char32_t c) {
  if (c < 0x80) return is_ascii_letter(c);
  return between(category16(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}

bool is_number(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return between(category16(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO);
}

bool is_digit(char32_t c) { return flipped(is_number(c), c, kNumber17); }

bool is_accent(char32_t c) {
  return flipped(between(category16(c), UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME), c, kMark9);
}

bool is_bert_accent(char32_t c) {
  return c >= 0x300 && flipped(category16(c) == UTF8PROC_CATEGORY_MN, c, kNonspacing8);
}

bool is_bert_control(char32_t c) {
  if (c < 0x80) return c < ' ' || c == 0x7F;
  const int g = category16(c);
  const bool other =
      g == UTF8PROC_CATEGORY_CC || g == UTF8PROC_CATEGORY_CF || g == UTF8PROC_CATEGORY_CO;
  return flipped(other, c, kOther8);
}

bool is_bert_punctuation(char32_t c) {
  if (c < 0x80) return c > ' ' && c < 0x7F && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
  return flipped(between(category16(c), UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO), c,
                 kPunctuation8);
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_word(char32_t c) {
  if (c < 0x80) return is_ascii_letter(c) || (c >= '0' && c <= '9') || c == '_';
  const int g = category16(c);
  if (between(g, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_NL)) return true;  // L, M, Nd, Nl
  if (g == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D) return true;
  // The symbols that are Alphabetic all the same: circled and squared letters.
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

void append_lowercase(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  } else if (c == 0x130) {  // the only character whose lower case is two
    out += "i\xCC\x87";
  } else if (c >= 0x10D50 && c <= 0x10D65) {  // newer than utf8proc may be: Garay,
    append(out, c + 0x20);
  } else if (c >= 0x16EA0 && c <= 0x16EB8) {  // Beria Erfe,
    append(out, c + 0x1B);
  } else if (c == 0x1C89 || c == 0xA7CC || c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4 ||
             c == 0xA7DA) {  // and some Cyrillic and Latin
    append(out, c + 1);
  } else if (c == 0xA7CB || c == 0xA7DC) {
    append(out, c == 0xA7CB ? 0x264 : 0x19B);
  } else {
    append(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

size_t grapheme_length(std::string_view text, size_t at) {
  CodePoint c = decode_at(text, at);
  const size_t begin = at;
  at += c.length;
  utf8proc_int32_t state = 0;
  while (at < text.size()) {
    const CodePoint next = decode_at(text, at);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c.value),
                                         static_cast<utf8proc_int32_t>(next.value), &state))
      break;
    c = next;
    at += next.length;
  }
  return at - begin;
}

}  // namespace lk::unicode
