#include "data/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <vector>

#include "data/tokenizer/regex_syntax.h"
#include "data/tokenizer/unicode.h"
#include "engine/error.h"

namespace lk {

namespace {

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
  const std::string text = to_pcre2(pattern, where);
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
