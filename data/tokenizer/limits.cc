#include "data/tokenizer/limits.h"

#include <algorithm>

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/tokenizer.h"

namespace lk {

namespace {

Side parse_side(const JsonNode& owner) {
  const std::string side = owner.text_or("direction", "Right");
  if (side != "Left" && side != "Right")
    owner.at("direction").fail("found \"{}\", expected \"Left\" or \"Right\"", side);
  return side == "Left" ? Side::kLeft : Side::kRight;
}

void keep(std::vector<TokenId>& ids, int64_t count, Side side) {
  const auto size = static_cast<int64_t>(ids.size());
  if (count >= size) return;
  if (side == Side::kLeft)
    ids.erase(ids.begin(), ids.end() - count);
  else
    ids.resize(static_cast<size_t>(count));
}

}  // namespace

Truncation parse_truncation(const JsonNode& node) {
  Truncation t;
  t.max_length = node.at("max_length").integer(0, INT32_MAX);
  t.side = parse_side(node);
  const std::string name = node.text_or("strategy", "LongestFirst");
  if (name == "OnlyFirst")
    t.strategy = Truncation::Strategy::kOnlyFirst;
  else if (name == "OnlySecond")
    t.strategy = Truncation::Strategy::kOnlySecond;
  else if (name != "LongestFirst")
    node.at("strategy")
        .fail("found \"{}\", expected \"LongestFirst\", \"OnlyFirst\" or \"OnlySecond\"", name);
  return t;
}

Padding parse_padding(const JsonNode& node) {
  Padding p;
  // "BatchLongest" or {"Fixed": length}
  if (const auto strategy = node.find("strategy"); strategy && !strategy->json().is_string())
    p.length = strategy->at("Fixed").integer(0, INT32_MAX);
  else if (strategy && strategy->text() != "BatchLongest")
    strategy->fail("found \"{}\", expected \"BatchLongest\" or {{\"Fixed\": length}}",
                   strategy->text());
  p.side = parse_side(node);
  p.multiple_of = std::max<int64_t>(node.integer_or("pad_to_multiple_of", 0, INT32_MAX, 1), 1);
  p.id = static_cast<TokenId>(node.integer_or("pad_id", 0, INT32_MAX, 0));
  p.type_id = static_cast<int32_t>(node.integer_or("pad_type_id", 0, INT32_MAX, 0));
  return p;
}

void truncate(std::vector<TokenId>& a, std::vector<TokenId>* b, int64_t special,
              const Truncation& truncation) {
  using Strategy = Truncation::Strategy;
  const int64_t room = truncation.max_length - special;
  require(room >= 0, "max_length is {}, but {} special tokens are to be added",
          truncation.max_length, special);
  const auto first = static_cast<int64_t>(a.size());
  const auto second = b ? static_cast<int64_t>(b->size()) : 0;
  const int64_t excess = first + second - room;
  if (excess <= 0) return;
  if (truncation.strategy == Strategy::kLongestFirst) {
    if (!b) return keep(a, room, truncation.side);
    // The shorter text keeps all it can; two long ones share, the longer one gets the odd token.
    const int64_t less = std::min({first, second, room / 2});
    const bool first_is_longer = first > second;
    keep(a, first_is_longer ? room - less : less, truncation.side);
    keep(*b, first_is_longer ? less : room - less, truncation.side);
    return;
  }
  const bool only_second = truncation.strategy == Strategy::kOnlySecond;
  require(!only_second || b, "truncation drops tokens of the second text only, but there is none");
  std::vector<TokenId>& target = only_second ? *b : a;
  const auto size = static_cast<int64_t>(target.size());
  require(
      size > excess,
      "truncation to {} tokens would drop {} of the {} text, which has only {}; use the strategy "
      "LongestFirst",
      truncation.max_length, excess, only_second ? "second" : "first", size);
  keep(target, size - excess, truncation.side);
}

std::vector<std::vector<int32_t>> pad(std::span<Encoding> rows, const Padding& padding) {
  size_t length = 0;
  for (const auto& row : rows) length = std::max(length, row.ids.size());
  if (padding.length) length = static_cast<size_t>(*padding.length);
  const auto multiple = static_cast<size_t>(padding.multiple_of);
  length = (length + multiple - 1) / multiple * multiple;
  std::vector<std::vector<int32_t>> masks;
  for (auto& row : rows) {
    const size_t missing = length - std::min(length, row.ids.size());
    std::vector<int32_t> mask(row.ids.size(), 1);
    const auto put = [&](auto& values, auto value) {
      values.insert(padding.side == Side::kLeft ? values.begin() : values.end(), missing, value);
    };
    put(mask, 0);
    put(row.ids, padding.id);
    put(row.type_ids, padding.type_id);
    masks.push_back(std::move(mask));
  }
  return masks;
}

}  // namespace lk
