#include "data/jinja/text.h"

#include <utf8proc.h>

#include <algorithm>

#include "data/jinja/value.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

// The code point at `at`, which moves past it; -1 when the bytes are malformed.
utf8proc_int32_t next(std::string_view text, size_t& at) {
  utf8proc_int32_t code = -1;
  const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                  static_cast<utf8proc_ssize_t>(text.size() - at), &code);
  at += n > 0 ? static_cast<size_t>(n) : 1;
  return n > 0 ? code : -1;
}

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

std::string backwards(std::string_view text) { return {text.rbegin(), text.rend()}; }

std::string map(std::string_view text, utf8proc_int32_t (*f)(utf8proc_int32_t)) {
  std::string out;
  for (const char32_t c : to_code_points(text))
    append_utf8(out, static_cast<char32_t>(f(static_cast<utf8proc_int32_t>(c))));
  return out;
}

char32_t to_title(char32_t c) {
  return static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c)));
}
char32_t to_lower(char32_t c) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();)
    if (next(text, at) < 0) return false;
  return true;
}

std::u32string to_code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto code = next(text, at);
    out += code < 0 ? U'\xFFFD' : static_cast<char32_t>(code);
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  require(n > 0, "U+{:X} is no character that UTF-8 can hold", static_cast<uint32_t>(c));
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

int64_t count_code_points(std::string_view text) {
  int64_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

size_t find_text(std::string_view text, std::string_view part, size_t from) {
  if (part.size() <= 32 || from > text.size()) return text.find(part, from);
  // Knuth, Morris and Pratt: how much of the beginning of `part` ends at each of its bytes.
  std::vector<uint32_t> border(part.size(), 0);
  uint32_t have = 0;
  for (size_t i = 1; i < part.size(); ++i) {
    while (have > 0 && part[i] != part[have]) have = border[have - 1];
    have += part[i] == part[have];
    border[i] = have;
  }
  have = 0;
  for (size_t i = from; i < text.size(); ++i) {
    while (have > 0 && text[i] != part[have]) have = border[have - 1];
    have += text[i] == part[have];
    if (have == part.size()) return i + 1 - have;
  }
  return std::string_view::npos;
}

size_t find_last_text(std::string_view text, std::string_view part) {
  const size_t found = find_text(backwards(text), backwards(part));
  return found == std::string_view::npos ? found : text.size() - found - part.size();
}

bool is_space(char32_t c) {
  if (c < 128) return c == ' ' || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
  return c == 0x85 || category(c) == UTF8PROC_CATEGORY_ZS || category(c) == UTF8PROC_CATEGORY_ZL ||
         category(c) == UTF8PROC_CATEGORY_ZP;
}

size_t skip_spaces(std::string_view text, size_t at) {
  for (size_t after = at; at < text.size(); at = after) {
    const auto c = next(text, after);
    if (c < 0 || !is_space(static_cast<char32_t>(c))) break;
  }
  return at;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || category(c) == UTF8PROC_CATEGORY_LT;
}
bool is_lower(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LL; }
bool is_alpha(char32_t c) {
  return is_upper(c) || is_lower(c) || category(c) == UTF8PROC_CATEGORY_LM ||
         category(c) == UTF8PROC_CATEGORY_LO;
}
bool is_digit(char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }

std::string upper(std::string_view text) {
  return map(replace(text, "\xC3\x9F", "SS"), utf8proc_toupper);
}
std::string lower(std::string_view text) { return map(text, utf8proc_tolower); }

std::string capitalize(std::string_view text) {
  std::u32string out = to_code_points(text);
  for (size_t i = 0; i < out.size(); ++i) out[i] = i == 0 ? to_title(out[i]) : to_lower(out[i]);
  return to_utf8(out);
}

std::string title(std::string_view text) {
  std::u32string out = to_code_points(text);
  bool inside = false;
  for (char32_t& c : out) {
    const bool letter = is_upper(c) || is_lower(c);
    c = inside ? to_lower(c) : to_title(c);
    inside = letter;
  }
  return to_utf8(out);
}

std::string strip(std::string_view text, std::string_view chars, bool left, bool right) {
  const std::u32string points = to_code_points(text);
  std::u32string set = to_code_points(chars);
  std::sort(set.begin(), set.end());
  const auto drop = [&](char32_t c) {
    return set.empty() ? is_space(c) : std::binary_search(set.begin(), set.end(), c);
  };
  size_t begin = 0, end = points.size();
  while (left && begin < end && drop(points[begin])) ++begin;
  while (right && end > begin && drop(points[end - 1])) --end;
  return to_utf8(std::u32string_view(points).substr(begin, end - begin));
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t count) {
  std::string out;
  size_t at = 0;
  const auto put = [&](std::string_view piece) {
    check_text_size(out.size() + piece.size());
    out += piece;
  };
  while (count != 0) {
    // An empty `from` stands before each character and at the end.
    size_t found = find_text(text, from, at);
    if (from.empty() && found != std::string_view::npos) {
      put(to);
      --count;
      if (at == text.size()) return out;
      next(text, at);
      put(text.substr(found, at - found));
      continue;
    }
    if (found == std::string_view::npos) break;
    put(text.substr(at, found - at));
    put(to);
    at = found + from.size();
    --count;
  }
  put(text.substr(at));
  return out;
}

}  // namespace lk::jinja
