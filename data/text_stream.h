// The text of tokens as they come: whole characters of UTF-8 only, and nothing of a stop string or
// behind it.
#pragma once

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace lk {

class TextStream {
 public:
  // tokenizer: must outlive it. stops: any of them ends the text.
  explicit TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops = {});
  std::string push(TokenId id);  // what can be shown now
  std::string finish();          // what was held back
  bool stopped() const { return stopped_; }

 private:
  std::string show(const std::string& text, size_t end);
  const Tokenizer& tokenizer_;
  std::vector<std::string> stops_;
  std::vector<TokenId> ids_;
  size_t shown_ = 0;  // bytes of the text
  bool stopped_ = false;
};

}  // namespace lk
