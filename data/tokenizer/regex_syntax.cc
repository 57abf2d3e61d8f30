#include "data/tokenizer/regex_syntax.h"

#include "data/tokenizer/unicode_tables.h"
#include "engine/error.h"

namespace lk {

namespace {

// What Oniguruma's shorthands mean, as the inside of a bracket expression: \s is the property
// White_Space; \w is Alphabetic, M, Nd, Pc, and outside of brackets six numerals of Latin-1 too; \h
// is a hexadecimal digit.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpaces =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
constexpr std::string_view kHex = "0-9A-Fa-f";

// A general category of Unicode 16, whatever PCRE2's version (if not newer).
std::string category(std::string_view name) {
  std::string out = fmt::format("\\p{{{}}}", name);
  for (const auto& [first, last] : unicode::unsettled_ranges(name))
    out += fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", static_cast<uint32_t>(first),
                       static_cast<uint32_t>(last));
  return out;
}

constexpr std::string_view kNumerals = R"(\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";

std::string words() {
  return category("L") + category("M") + category("Nl") + category("Nd") + category("Pc") +
         R"(\x{24B6}-\x{24E9}\x{1F130}-\x{1F149})"
         R"(\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
}

// Reads an expression from left to right.
class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '\\' && at_ + 1 < pattern_.size()) {
        escape();
      } else if (c == '[') {
        open_bracket();
      } else {
        if (c == ']') in_brackets_ = false;
        if (in_brackets_ && ahead("&&")) unsupported("the intersection && of character classes");
        out_ += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  bool ahead(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  [[noreturn]] void unsupported(std::string_view what) const {
    fail("{}{} is not supported in the regular expression {}", where_, what, pattern_);
  }

  void open_bracket() {
    if (in_brackets_) {
      if (ahead("[:")) return posix_class();
      unsupported("a character class inside another");
    }
    in_brackets_ = true;
    out_ += pattern_[at_++];
    if (ahead("^")) out_ += pattern_[at_++];
    if (ahead("]")) unsupported("an empty character class, or a bracket without backslash in it");
  }

  void posix_class() {
    const size_t end = pattern_.find(":]", at_);
    if (end == pattern_.npos) unsupported("\"[:\" without \":]\"");
    const auto name = pattern_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 2;
    if (name == "space")
      out_ += kSpaces;
    else if (name == "digit")
      out_ += category("Nd");
    else if (name == "word")
      out_ += words();
    else if (name == "xdigit")
      out_ += kHex;
    else
      unsupported(fmt::format("the class [:{}:]", name));
  }

  // A set of characters given as the inside of brackets.
  void put_set(std::string_view inside, bool negated) {
    if (!in_brackets_)
      out_.append(negated ? "[^" : "[").append(inside) += ']';
    else if (!negated)
      out_ += inside;
    else
      unsupported(fmt::format("the negated shorthand ending at byte {} inside brackets", at_));
  }

  void escape() {
    const char name = pattern_[at_ + 1];
    at_ += 2;
    switch (name) {
      case 's':
        return put_set(kSpaces, false);
      case 'S':
        return in_brackets_ ? put_set(kNotSpaces, false) : put_set(kSpaces, true);
      case 'w':
      case 'W':
        return put_set(in_brackets_ ? words() : words().append(kNumerals), name == 'W');
      case 'd':
      case 'D':
        return put_set(category("Nd"), name == 'D');
      case 'h':
      case 'H':
        return put_set(kHex, name == 'H');
      case 'p':
      case 'P':
        return property(name == 'P');
      case 'b':
      case 'B':
        if (!in_brackets_) return word_boundary(name == 'b');
        break;
      default:
        break;
    }
    out_ += '\\';
    out_ += name;
  }

  void property(bool negated) {
    const size_t end = pattern_.find('}', at_);
    if (!ahead("{") || end == pattern_.npos) unsupported("\\p without a name in braces");
    auto name = pattern_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (name.starts_with('^')) {
      name.remove_prefix(1);
      negated = !negated;
    }
    const bool is_category = !name.empty() && name.size() <= 2;
    if (is_category && !(negated && in_brackets_)) return put_set(category(name), negated);
    out_ += fmt::format("\\{}{{{}}}", negated ? 'P' : 'p', name);
  }

  void word_boundary(bool wanted) {
    const std::string w = "[" + words().append(kNumerals) + "]";
    out_ += wanted ? fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", w)
                   : fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", w);
  }

  std::string_view pattern_;
  const std::string& where_;
  std::string out_;
  size_t at_ = 0;
  bool in_brackets_ = false;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace lk
