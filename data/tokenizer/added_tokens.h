// Added tokens: texts that are found before (or after) normalization and become one id whatever the
// model would make of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/piece.h"
#include "data/tokenizer/vocab.h"

namespace lk {

class JsonNode;

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool normalized = false;   // looked for in the normalized text
  bool special = false;
};

// A stretch of text, or the token that was found in its place.
struct Found {
  std::string_view text;
  TokenId id = Vocab::kNone;
};
using FoundSink = FunctionRef<void(Found)>;

// Finds the longest of some texts, leftmost first.
class TextFinder {
 public:
  void add(std::string_view text, size_t index);
  bool empty() const { return nodes_.size() == 1; }
  // The longest text that begins at the first possible byte from `from` on: its place and index.
  struct Match {
    size_t begin, end, index;
  };
  std::optional<Match> find(std::string_view text, size_t from) const;

 private:
  struct Node {
    int32_t index = -1;
    std::vector<std::pair<unsigned char, int32_t>> next;
  };
  int32_t child(int32_t node, unsigned char byte) const;
  std::vector<Node> nodes_ = std::vector<Node>(1);
  bool starts_[256] = {};
};

class AddedTokens {
 public:
  // Reads the `added_tokens` field. A token that the model does not know gets the next free id.
  void parse(const JsonNode& node, const Vocab& vocab, const Normalizer& normalizer);

  // Cuts the raw text at the tokens that are not normalized.
  void split_raw(std::string_view text, FoundSink sink) const { split(text, raw_, sink); }
  // Cuts normalized text at the tokens that are.
  void split_normalized(std::string_view text, FoundSink sink) const {
    split(text, normalized_, sink);
  }

  const AddedToken* find(std::string_view content) const;
  const AddedToken* find(TokenId id) const;
  // Whether a token of this text is special.
  bool is_special(std::string_view content) const;
  const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  void split(std::string_view text, const TextFinder& finder, FoundSink sink) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, size_t> by_content_;
  std::unordered_map<TokenId, size_t> by_id_;
  TextFinder raw_, normalized_;
};

}  // namespace lk
