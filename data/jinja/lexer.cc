#include "data/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk::jinja {
namespace {

constexpr std::string_view kSpace = " \t\n\r\f\v";
// Longest first.
constexpr std::array<std::string_view, 29> kSymbols{
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(",
    ")",  "{",  "}",  ">",  "<",  "=",  ".", ":", "|", ",", ";", "@", "!", "$"};

bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

class Lexer {
 public:
  explicit Lexer(const Source& source) : source_(source), text_(source.text) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) outside();
    tokens_.push_back({TokenKind::end, "", line_});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void wrong(int32_t line, const std::string& message) const {
    source_.fail_at(line, message);
  }
  bool here(std::string_view s) const { return text_.compare(at_, s.size(), s) == 0; }
  bool take(std::string_view s) {
    if (!here(s)) return false;
    advance(s.size());
    return true;
  }
  void advance(size_t n) {
    line_ += static_cast<int32_t>(std::count(
        text_.begin() + static_cast<std::ptrdiff_t>(at_),
        text_.begin() + static_cast<std::ptrdiff_t>(std::min(text_.size(), at_ + n)), '\n'));
    at_ = std::min(text_.size(), at_ + n);
  }
  void skip_space() { advance(std::min(text_.find_first_not_of(kSpace, at_), text_.size()) - at_); }
  void add(TokenKind kind, std::string text, int32_t line) {
    tokens_.push_back({kind, std::move(text), line});
  }

  // Text up to the next tag, shortened as the tag's sign and lstrip_blocks ask, then the tag.
  void outside() {
    size_t tag = at_;
    do tag = text_.find('{', tag);
    while (tag != std::string::npos &&
           (tag + 1 >= text_.size() ||
            std::string_view("{%#").find(text_[tag + 1]) == std::string_view::npos) &&
           ++tag);
    const bool last = tag == std::string::npos;
    const size_t begin = at_, end = last ? text_.size() : tag;
    const int32_t line = line_;
    advance(end - begin);
    const char kind = last ? 0 : text_[tag + 1], sign = last ? 0 : sign_at(tag + 2);
    add_text(begin, end, sign, kind != '{', line);
    if (last) return;
    open_line_ = line_;
    advance(2);
    if (sign) advance(1);
    if (kind == '#') return comment();
    if (kind == '%' && raw()) return;
    add(kind == '%' ? TokenKind::block_begin : TokenKind::print_begin, "", line_);
    inside(kind == '%');
  }

  char sign_at(size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : 0;
  }

  void add_text(size_t begin, size_t end, char sign, bool lstrip, int32_t line) {
    std::string data = text_.substr(begin, end - begin);
    if (sign == '-') {
      data = strip(data, "", false, true);
    } else if (lstrip && sign != '+') {
      const size_t start = data.rfind('\n') + 1;  // 0 when there is none
      if ((start > 0 || line_starting_) && strip(data.substr(start), "", true, false).empty())
        data.resize(start);
    }
    if (!data.empty()) add(TokenKind::text, std::move(data), line);
  }

  // After a tag: "-" eats white space; a tag that is not {{ }} eats one line end, unless "+".
  bool close(std::string_view bracket, bool trim) {
    const size_t before = at_;
    if (here("-") && text_.compare(at_ + 1, 2, bracket) == 0) {
      advance(3);
      advance(skip_spaces(text_, at_) - at_);
    } else if (trim && here("+") && text_.compare(at_ + 1, 2, bracket) == 0) {
      advance(3);
    } else if (here(bracket)) {
      advance(2);
      if (trim) take("\n");
    } else {
      return false;
    }
    line_starting_ = text_[std::max(at_, before + 1) - 1] == '\n';
    return true;
  }

  void comment() {
    const size_t end = text_.find("#}", at_);
    if (end == std::string::npos) wrong(open_line_, "this comment is never closed with #}");
    const char sign = end > at_ ? text_[end - 1] : 0;
    advance(end - at_ - (sign == '-' || sign == '+' ? 1 : 0));
    close("#}", true);
  }

  // {% raw %} ... {% endraw %}: the text as it stands.
  bool raw() {
    const size_t start = at_;
    const int32_t line = line_;
    const auto back = [&] {
      at_ = start;
      line_ = line;
      return false;
    };
    skip_space();
    if (!take("raw")) return back();
    skip_space();
    if (!close("%}", false)) return back();
    const size_t begin = at_;
    const int32_t text_line = line_;
    for (size_t tag = text_.find("{%", at_); tag != std::string::npos;
         tag = text_.find("{%", at_)) {
      advance(tag - at_);
      const char sign = sign_at(tag + 2);
      advance(sign ? 3 : 2);
      skip_space();
      if (take("endraw")) {
        skip_space();
        if (close("%}", true)) {
          const bool starting = std::exchange(line_starting_, false);
          add_text(begin, tag, sign, true, text_line);
          line_starting_ = starting;
          return true;
        }
      }
    }
    wrong(open_line_, "{% raw %} is never closed with {% endraw %}");
  }

  void inside(bool block) {
    std::string brackets;
    const std::string_view bracket = block ? "%}" : "}}";
    for (;;) {
      if (at_ >= text_.size())
        wrong(open_line_, fmt::format("this {} is never closed with {}",
                                      block ? "block tag" : "expression", bracket));
      if (brackets.empty() && close(bracket, block)) {
        add(block ? TokenKind::block_end : TokenKind::print_end, "", line_);
        return;
      }
      const char c = text_[at_];
      if (kSpace.find(c) != std::string_view::npos)
        skip_space();
      else if (digit(c))
        number();
      else if (name_start(c))
        name();
      else if (c == '\'' || c == '"')
        string();
      else
        symbol(brackets);
    }
  }

  void symbol(std::string& brackets) {
    const auto* found =
        std::find_if(kSymbols.begin(), kSymbols.end(), [&](std::string_view s) { return here(s); });
    if (found == kSymbols.end()) wrong(line_, fmt::format("unexpected character {}", repr_char()));
    const char c = (*found)[0];
    if (found->size() == 1 && std::string_view("([{").find(c) != std::string_view::npos) {
      brackets += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (found->size() == 1 && std::string_view(")]}").find(c) != std::string_view::npos) {
      if (brackets.empty() || brackets.back() != c) wrong(line_, fmt::format("unexpected '{}'", c));
      brackets.pop_back();
    }
    add(TokenKind::symbol, std::string(*found), line_);
    advance(found->size());
  }

  std::string repr_char() const {
    const auto points = to_code_points(std::string_view(text_).substr(at_, 4));
    return "'" + to_utf8(points.substr(0, 1)) + "'";
  }

  void name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (name_start(text_[at_]) || digit(text_[at_]))) ++at_;
    add(TokenKind::name, text_.substr(begin, at_ - begin), line_);
  }

  void digits(std::string& out, std::string_view allowed) {
    while (at_ < text_.size()) {
      const size_t next = at_ + (text_[at_] == '_' && !out.empty() ? 1 : 0);
      if (next >= text_.size() || allowed.find(text_[next]) == std::string_view::npos) return;
      out += text_[next];
      at_ = next + 1;
    }
  }

  void number() {
    constexpr std::string_view kDecimal = "0123456789";
    std::string out;
    const size_t begin = at_;
    for (const auto& [prefix, allowed] :
         {std::pair<std::string_view, std::string_view>{"0x", "0123456789abcdefABCDEF"},
          {"0X", "0123456789abcdefABCDEF"},
          {"0o", "01234567"},
          {"0b", "01"}})
      if (here(prefix) && at_ + 2 < text_.size() &&
          allowed.find(text_[at_ + 2]) != std::string_view::npos) {
        out = prefix;
        at_ += 2;
        digits(out, allowed);
        return add(TokenKind::integer, std::move(out), line_);
      }
    digits(out, kDecimal);
    bool whole = true;
    // x.0.1 is two subscripts, not a number.
    const bool subscript = begin > 0 && text_[begin - 1] == '.';
    if (!subscript && here(".") && at_ + 1 < text_.size() && digit(text_[at_ + 1])) {
      whole = false;
      ++at_;
      out += '.';
      digits(out, kDecimal);
    }
    if (!subscript && (here("e") || here("E"))) {
      const size_t sign = at_ + 1 < text_.size() && sign_at(at_ + 1) ? 1 : 0;
      if (at_ + 1 + sign < text_.size() && digit(text_[at_ + 1 + sign])) {
        whole = false;
        out += text_.substr(at_, 1 + sign);
        at_ += 1 + sign;
        digits(out, kDecimal);
      }
    }
    if (whole && out.size() > 1 && out[0] == '0' && out.find_first_not_of('0') != std::string::npos)
      wrong(line_, fmt::format("the number {} begins with 0", out));
    add(whole ? TokenKind::integer : TokenKind::decimal, std::move(out), line_);
  }

  uint32_t code(size_t count, int base, const char* what) {
    uint32_t out = 0;
    for (size_t i = 0; i < count; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : 0;
      const int d = digit(c)               ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
      if (d >= base) wrong(line_, fmt::format("a string has a broken \\{} escape", what));
      out = out * static_cast<uint32_t>(base) + static_cast<uint32_t>(d);
    }
    if (out > 0x10FFFF || (out >= 0xD800 && out < 0xE000))
      wrong(line_, fmt::format("a string has the escape U+{:X}, which is no character", out));
    return out;
  }

  void string() {
    const char quote = text_[at_];
    const int32_t line = line_;
    std::string out;
    for (++at_;;) {
      if (at_ >= text_.size()) wrong(line, "this string is never closed");
      const char c = text_[at_];
      if (c == quote) break;
      if (c != '\\') {
        line_ += c == '\n';
        out += c;
        ++at_;
        continue;
      }
      if (at_ + 1 >= text_.size()) wrong(line, "this string is never closed");
      escape(out);
    }
    ++at_;
    add(TokenKind::string, std::move(out), line);
  }

  // As Python's; an unknown escape stays as it is.
  void escape(std::string& out) {
    const char c = text_[at_ + 1];
    static constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
    at_ += 2;
    if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
      out += kTo[i];
    } else if (c == 'x') {
      append_utf8(out, code(2, 16, "x"));
    } else if (c == 'u') {
      append_utf8(out, code(4, 16, "u"));
    } else if (c == 'U') {
      append_utf8(out, code(8, 16, "U"));
    } else if (c == 'N') {
      wrong(line_, "the escape \\N{...} is not supported; write \\u and the number");
    } else if (c >= '0' && c <= '7') {
      --at_;
      size_t n = 1;
      while (n < 3 && at_ + n < text_.size() && text_[at_ + n] >= '0' && text_[at_ + n] <= '7') ++n;
      append_utf8(out, code(n, 8, "0"));
    } else if (c == '\n') {
      ++line_;
    } else {
      (out += '\\') += c;
    }
  }

  const Source& source_;
  const std::string& text_;
  size_t at_ = 0;
  int32_t line_ = 1, open_line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalize_lines(const std::string& text, const std::string& name) {
  require(is_utf8(text), "chat template {}: not valid UTF-8", name);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r')
      out += text[i];
    else if (i + 1 >= text.size() || text[i + 1] != '\n')
      out += '\n';
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<Token> tokenize(const Source& source) { return Lexer(source).run(); }

}  // namespace lk::jinja
