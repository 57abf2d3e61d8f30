#include "peft/name_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/error.h"

namespace lk {

struct NamePattern::Compiled {
  std::string text, where;
  std::unique_ptr<pcre2_code, void (*)(pcre2_code*)> code;
  std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data;

  // The number of groups set; 0 for no match.
  int match(const std::string& name, uint32_t options) const {
    constexpr uint32_t kMostSteps = 1'000'000;
    const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
        pcre2_match_context_create(nullptr), pcre2_match_context_free);
    pcre2_set_match_limit(context.get(), kMostSteps);
    const int result = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(name.data()),
                                   name.size(), 0, options, data.get(), context.get());
    require(result > 0 || result == PCRE2_ERROR_NOMATCH,
            "{}: the regular expression '{}' takes too long to match '{}'", where, text, name);
    return result > 0 ? result : 0;
  }
};

NamePattern::NamePattern(const std::string& text, const std::string& where) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                   PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    fail("{} is '{}', not a regular expression: {}", where, text,
         reinterpret_cast<const char*>(message));
  }
  compiled_ = std::make_shared<const Compiled>(
      Compiled{text,
               where,
               {code, pcre2_code_free},
               {pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free}});
}

bool NamePattern::matches(const std::string& name) const {
  return compiled_->match(name, PCRE2_ANCHORED | PCRE2_ENDANCHORED) > 0;
}

std::optional<std::string> NamePattern::first_group(const std::string& name) const {
  if (compiled_->match(name, 0) < 2) return std::nullopt;
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(compiled_->data.get()) + 2;
  if (span[0] > span[1] || span[1] > name.size()) return std::nullopt;  // a group that is not set
  return name.substr(span[0], span[1] - span[0]);
}

}  // namespace lk
