#include "data/tokenizer/scanner.h"

#include <array>
#include <cstdint>

#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

enum Class : uint8_t { kOther, kLetter, kNumber, kSpace };

constexpr std::array<Class, 128> make_ascii() {
  std::array<Class, 128> t{};
  for (int c = 0; c < 128; ++c)
    t[c] = (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? kLetter
           : c >= '0' && c <= '9'                 ? kNumber
           : c == ' ' || (c >= 9 && c <= 13)      ? kSpace
                                                  : kOther;
  return t;
}
constexpr std::array<Class, 128> kAscii = make_ascii();

// The class of the character at `at`, and its bytes.
struct Char {
  Class kind;
  int length;
};

Char wide_char_at(std::string_view text, size_t at) {
  const auto c = unicode::decode_at(text, at);
  const Class kind = unicode::is_letter(c.value)        ? kLetter
                     : unicode::is_number(c.value)      ? kNumber
                     : unicode::is_white_space(c.value) ? kSpace
                                                        : kOther;
  return {kind, c.length};
}

inline Char char_at(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  return byte < 0x80 ? Char{kAscii[byte], 1} : wide_char_at(text, at);
}

// Where the run of characters of `kind` that starts at `at` ends.
size_t end_of_run(std::string_view text, size_t at, Class kind) {
  while (at < text.size()) {
    const Char c = char_at(text, at);
    if (c.kind != kind) break;
    at += c.length;
  }
  return at;
}

// Bytes of 's 't 'm 'd 're 've 'll at an apostrophe, or 0.
size_t contraction(std::string_view text, size_t at, bool any_case) {
  const auto letter = [&](size_t i) {
    const char c = at + i < text.size() ? text[at + i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  // U+017F, the long s, is an s when case does not matter.
  if (any_case && text.substr(at + 1, 2) == "\xC5\xBF") return 3;
  return 0;
}

// `\s+(?!\S)|\s+` at white space: the run, less its last character when text follows it.
size_t end_of_space(std::string_view text, size_t at) {
  size_t end = at, last = at;
  while (end < text.size()) {
    const Char c = char_at(text, end);
    if (c.kind != kSpace) break;
    last = end;
    end += c.length;
  }
  return end < text.size() && last > at ? last : end;
}

bool is_newline(char c) { return c == '\r' || c == '\n'; }

void scan_gpt2(std::string_view text, TextSink sink) {
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at;
    if (text[at] == '\'' && (end = at + contraction(text, at, false)) > at) {
      sink(text.substr(at, end - at));
      at = end;
      continue;
    }
    const size_t body = at + (text[at] == ' ' ? 1 : 0);
    const Class kind = body < text.size() ? char_at(text, body).kind : kSpace;
    end = kind == kSpace ? end_of_space(text, at) : end_of_run(text, body, kind);
    sink(text.substr(at, end - at));
    at = end;
  }
}

// Where the match of the Llama 3 expression that starts at `at` ends; `digits`: at most so many
// digits together.
size_t end_of_llama3(std::string_view text, size_t at, int digits) {
  if (text[at] == '\'')
    if (const size_t length = contraction(text, at, true)) return at + length;
  const Char first = char_at(text, at);
  const size_t second = at + first.length;
  if (first.kind == kLetter) return end_of_run(text, second, kLetter);
  if (first.kind == kNumber) {
    size_t end = second;
    for (int i = 1; i < digits && end < text.size(); ++i) {
      const Char c = char_at(text, end);
      if (c.kind != kNumber) break;
      end += c.length;
    }
    return end;
  }
  const Class next = second < text.size() ? char_at(text, second).kind : kSpace;
  if (!is_newline(text[at]) && next == kLetter) return end_of_run(text, second, kLetter);
  if (first.kind == kOther || (text[at] == ' ' && next == kOther)) {
    size_t end = end_of_run(text, second, kOther);
    while (end < text.size() && is_newline(text[end])) ++end;
    return end;
  }
  // `\s*[\r\n]+` reaches to the last line end of the run.
  const size_t run = end_of_run(text, at, kSpace);
  for (size_t end = run; end > at; --end)
    if (is_newline(text[end - 1])) return end;
  return end_of_space(text, at);
}

template <int kDigits>
void scan_llama3(std::string_view text, TextSink sink) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = end_of_llama3(text, at, kDigits);
    sink(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace

Scanner find_scanner(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return scan_gpt2;
  if (pattern == kLlama3Pattern) return scan_llama3<3>;
  if (pattern == kQwen2Pattern) return scan_llama3<1>;
  return nullptr;
}

}  // namespace lk
