// UTF-8 and the Unicode properties that tokenizers ask for. Categories come from utf8proc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lk::unicode {

struct CodePoint {
  char32_t value;
  int length;  // bytes
};

// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid(std::string_view text);
// `text` with every maximal malformed part replaced by U+FFFD, as the Unicode standard recommends.
std::string replace_invalid(std::string_view text);

// The code point at byte `at` of valid UTF-8.
CodePoint decode_at(std::string_view text, size_t at);
// Bytes of the code point that starts with this byte in valid UTF-8.
int length_from_lead(char lead);
void append(std::string& out, char32_t c);
int64_t count_code_points(std::string_view text);

bool is_letter(char32_t c);           // general category L
bool is_number(char32_t c);           // N
bool is_mark(char32_t c);             // M
bool is_nonspacing_mark(char32_t c);  // Mn
bool is_punctuation(char32_t c);      // P
bool is_other(char32_t c);            // Cc, Cf, Co
bool is_white_space(char32_t c);      // property White_Space
bool is_word(char32_t c);             // Alphabetic, M, Nd, Pc: `\w` of a Unicode regex
bool is_ascii_punctuation(char32_t c);

// Appends the full lower-case mapping of c (context free: a final sigma stays medial).
void append_lowercase(std::string& out, char32_t c);

enum class Form { kNfc, kNfd, kNfkc, kNfkd };
// The normalization form of valid UTF-8.
std::string normal_form(std::string_view text, Form form);

// Byte length of the extended grapheme cluster that starts at `at`.
size_t grapheme_length(std::string_view text, size_t at);

}  // namespace lk::unicode
