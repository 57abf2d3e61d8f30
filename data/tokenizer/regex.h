// Regular expressions as tokenizer files write them (Oniguruma's syntax), run by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "data/tokenizer/piece.h"

namespace lk {

using MatchSink = FunctionRef<void(size_t begin, size_t end)>;

class Regex {
 public:
  // `where` begins the message of an Error: the expression does not compile.
  Regex(const std::string& pattern, const std::string& where);
  // Calls `sink` for every match in valid UTF-8, left to right; an empty match next to the match
  // before it is passed over. Throws Error when the expression needs too much memory or time. Safe
  // from several threads.
  void find_all(std::string_view text, MatchSink sink) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace lk
