// Python's str: code points of UTF-8 text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lk::jinja {

bool is_utf8(std::string_view text);
// Where the malformed byte stands is not told; text is checked before it gets here.
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);
void append_utf8(std::string& out, char32_t c);
int64_t count_code_points(std::string_view text);

bool is_space(char32_t c);  // str.isspace
// As std::string::find and rfind, in linear time whatever the texts.
size_t find_text(std::string_view text, std::string_view part, size_t from = 0);
size_t find_last_text(std::string_view text, std::string_view part);
// Where the first character at or behind `at` stands that is no white space.
size_t skip_spaces(std::string_view text, size_t at);
bool is_printable(char32_t c);  // str.isprintable
bool is_alpha(char32_t c);
bool is_digit(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
// One code point for one, but for 'ß', which becomes "SS".
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
// First letter of each run of letters upper, the others lower (str.title).
std::string title(std::string_view text);

// chars: what to cut off the ends; white space when empty.
std::string strip(std::string_view text, std::string_view chars, bool left, bool right);
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t count = -1);

}  // namespace lk::jinja
