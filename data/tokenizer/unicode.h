// UTF-8 and the Unicode properties that tokenizers ask for.
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

// Categories as of Unicode 16, the version of the reference's regular expressions.
bool is_letter(char32_t c);       // L
bool is_number(char32_t c);       // N
bool is_white_space(char32_t c);  // property White_Space
bool is_word(char32_t c);         // Alphabetic, M, Nd, Pc, Join_Control: `\w`
// Categories of the versions that the reference's normalizers and pre-tokenizers use.
bool is_digit(char32_t c);             // N in Unicode 17: Digits
bool is_accent(char32_t c);            // M in Unicode 9: StripAccents
bool is_bert_accent(char32_t c);       // Mn in Unicode 8: BertNormalizer
bool is_bert_control(char32_t c);      // Cc, Cf, Co in Unicode 8: BertNormalizer
bool is_bert_punctuation(char32_t c);  // ASCII punctuation and P in Unicode 8

// Appends the full lower-case mapping of c (context free: a final sigma stays medial).
void append_lowercase(std::string& out, char32_t c);

enum class Form { kNfc, kNfd, kNfkc, kNfkd };
// The normalization form of valid UTF-8.
std::string normal_form(std::string_view text, Form form);

// Byte length of the extended grapheme cluster that starts at `at`.
size_t grapheme_length(std::string_view text, size_t at);

}  // namespace lk::unicode
