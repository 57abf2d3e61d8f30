// Truncation and padding: the fields of those names of a tokenizer.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/vocab.h"

namespace lk {

class JsonNode;
struct Encoding;

enum class Side { kLeft, kRight };

struct Truncation {
  // Which text loses tokens: the longer one, the first, the second.
  enum class Strategy { kLongestFirst, kOnlyFirst, kOnlySecond };
  int64_t max_length = 512;  // special tokens included
  Strategy strategy = Strategy::kLongestFirst;
  Side side = Side::kRight;  // where tokens are dropped
};

struct Padding {
  std::optional<int64_t> length;  // of every row; without it, that of the longest one
  int64_t multiple_of = 1;
  Side side = Side::kRight;  // where the padding goes
  TokenId id = 0;
  int32_t type_id = 0;
};

Truncation parse_truncation(const JsonNode& node);
Padding parse_padding(const JsonNode& node);

// Shortens the ids of one text, or of two (`b` not null), to truncation.max_length - `special` in
// all; `special` tokens are to be added later. Throws Error when that is less than nothing, or when
// the text that the strategy names is missing or too short to lose so many.
void truncate(std::vector<TokenId>& a, std::vector<TokenId>* b, int64_t special,
              const Truncation& truncation);

// Brings all rows to one length and gives each one's attention mask (1: token, 0: padding). A row
// that is longer already stays as it is.
std::vector<std::vector<int32_t>> pad(std::span<Encoding> rows, const Padding& padding);

}  // namespace lk
