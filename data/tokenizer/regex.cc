#include "data/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <vector>

#include "data/tokenizer/unicode.h"
#include "engine/error.h"

namespace lk {

namespace {

// The shorthands whose meaning differs: Oniguruma's \s is the property White_Space, \w is
// Alphabetic, M, Nd and Pc, \h a hexadecimal digit. As the inside of a bracket expression.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kWords =
    R"(\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
constexpr std::string_view kNotSpaces =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";

// The same expression in PCRE2's syntax. `where` begins the message of an Error.
std::string translate(std::string_view pattern, const std::string& where) {
  std::string out;
  int depth = 0;  // of brackets
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      const char name = pattern[++at];
      const auto put = [&](std::string_view inside, bool negated) {
        if (depth > 0)
          out += inside;
        else
          out.append(negated ? "[^" : "[").append(inside) += ']';
      };
      if (name == 's') {
        put(kSpaces, false);
      } else if (name == 'S') {
        depth > 0 ? put(kNotSpaces, false) : put(kSpaces, true);
      } else if (name == 'w') {
        put(kWords, false);
      } else if (name == 'W' && depth == 0) {
        put(kWords, true);
      } else if (name == 'h') {
        put("0-9a-fA-F", false);
      } else if (name == 'H' && depth == 0) {
        put("0-9a-fA-F", true);
      } else if (name == 'W' || name == 'H') {
        fail("{}\\{} inside brackets is not supported", where, name);
      } else {
        out += c;
        out += name;
      }
      continue;
    }
    if (depth > 0 && pattern.substr(at, 2) == "&&")
      fail("{}the intersection && of character classes is not supported", where);
    if (c == '[') {
      if (depth > 0 && pattern.substr(at, 2) != "[:")
        fail("{}a character class inside another is not supported", where);
      if (depth > 0) {  // a POSIX class such as [:alpha:]
        const size_t end = pattern.find(":]", at);
        if (end == pattern.npos) fail("{}\"[:\" without \":]\"", where);
        out += pattern.substr(at, end + 2 - at);
        at = end + 1;
        continue;
      }
      ++depth;
      out += c;
      // A bracket right behind the opening one stands for itself.
      if (at + 1 < pattern.size() && pattern[at + 1] == '^') out += pattern[++at];
      if (at + 1 < pattern.size() && pattern[at + 1] == ']') {
        out += "\\]";
        ++at;
      }
      continue;
    }
    if (c == ']' && depth > 0) --depth;
    out += c;
  }
  return out;
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

template <auto kFree>
struct Free {
  void operator()(auto* object) const { kFree(object); }
};

}  // namespace

struct Regex::Compiled {
  std::string pattern;
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
  // Memory for matching; one match at a time uses it.
  struct Scratch {
    std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> data;
    std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> context;
    std::unique_ptr<pcre2_jit_stack, Free<pcre2_jit_stack_free>> stack;
  };
  Scratch scratch() const {
    Scratch s;
    s.data.reset(pcre2_match_data_create_from_pattern(code.get(), nullptr));
    s.context.reset(pcre2_match_context_create(nullptr));
    s.stack.reset(pcre2_jit_stack_create(32 << 10, 64 << 20, nullptr));
    pcre2_jit_stack_assign(s.context.get(), nullptr, s.stack.get());
    pcre2_set_match_limit(s.context.get(), 100'000'000);
    return s;
  }
};

Regex::Regex(const std::string& pattern, const std::string& where) {
  auto compiled = std::make_shared<Compiled>();
  compiled->pattern = pattern;
  const std::string text = translate(pattern, where);
  int error = 0;
  PCRE2_SIZE at = 0;
  std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>> context(
      pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                    context.get()));
  if (!compiled->code)
    fail("{}the regular expression {} is not supported: {} (at byte {})", where, pattern,
         message_of(error), at);
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // without JIT it is only slower
  compiled_ = std::move(compiled);
}

void Regex::find_all(std::string_view text, MatchSink sink) const {
  const auto scratch = compiled_->scratch();
  size_t from = 0;
  size_t last_end = std::string_view::npos;
  while (from <= text.size()) {
    const int result =
        pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                    from, PCRE2_NO_UTF_CHECK, scratch.data.get(), scratch.context.get());
    if (result == PCRE2_ERROR_NOMATCH) return;
    if (result < 0)
      fail("the tokenizer's regular expression {} failed on a text of {} bytes: {}",
           compiled_->pattern, text.size(), message_of(result));
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(scratch.data.get());
    const size_t begin = span[0], end = span[1];
    if (begin == end && end == last_end) {
      from += from < text.size() ? unicode::length_from_lead(text[from]) : 1;
      continue;
    }
    require(end >= begin, "the tokenizer's regular expression {} matches backwards",
            compiled_->pattern);
    sink(begin, end);
    from = last_end = end;
  }
}

}  // namespace lk
