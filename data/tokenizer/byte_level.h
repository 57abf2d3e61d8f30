// Byte level: each byte stands for one printable character, so that a vocabulary of characters can
// hold every text (GPT-2, Radford et al. 2019). The bytes that print in Latin-1 stand for
// themselves, the other 68 for U+0100 and the characters after it.
#pragma once

#include <string>
#include <string_view>

namespace lk::byte_level {

// Every byte of `text` as its character; appended to `out`.
void append_encoded(std::string& out, std::string_view text);

// Appends the bytes that the characters of a token stand for. A token with any other character
// gives its own UTF-8 bytes.
void append_decoded(std::string& out, std::string_view token);

// The character of a byte.
char32_t character(unsigned char byte);

}  // namespace lk::byte_level
