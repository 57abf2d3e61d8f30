// The dialect of regular expressions in tokenizer files (Oniguruma's) in terms of PCRE2's.
#pragma once

#include <string>
#include <string_view>

namespace lk {

// The same expression for PCRE2 with UTF and UCP. `where` begins the message of the Error for what
// has no counterpart: character classes inside character classes and their intersection (&&), POSIX
// classes such as [:alpha:], and some negated shorthands inside brackets.
//
// Known difference: with (?i), Oniguruma also folds one character to several (sharp s to ss).
std::string to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace lk
