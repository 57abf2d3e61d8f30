// Byte-pair encoding (Sennrich et al. 2016): a piece starts as single characters, then the pair
// that was learnt first is merged, the leftmost first, until no pair is known.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/model.h"

namespace lk {

// Learnt pairs: (left, right) to rank and merged id.
class MergeTable {
 public:
  struct Merge {
    int32_t rank = -1;  // -1: not a pair
    TokenId id = -1;
  };
  void reserve(size_t count);
  // A pair that is there already gets the new rank.
  void add(TokenId left, TokenId right, Merge merge);
  Merge find(TokenId left, TokenId right) const;

 private:
  struct Entry {
    uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr uint64_t kFree = ~uint64_t{0};
  size_t slot(uint64_t pair) const;
  std::vector<Entry> entries_;
};

// Where a text can be cut because no merge reaches across: before an ASCII character or a mark
// (U+2581) that is in the vocabulary, judged by the byte before it.
class CutTable {
 public:
  explicit CutTable(const Vocab& vocab);
  // Notes that `left` and `right` can be joined. `any_byte`: whatever the text of `left`.
  void join(std::string_view left, std::string_view right, bool any_byte);
  // Whether text may be cut at byte `at` > 0.
  bool allows(std::string_view text, size_t at) const;

 private:
  static int row(std::string_view text);
  std::vector<bool> joined_;  // [129][256]: first character (128: the mark), byte before it
};

struct BpeOptions {
  std::optional<std::string> unk_token;
  std::string continuing_subword_prefix;
  std::string end_of_word_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;
};

class BpeModel : public TokenModel {
 public:
  BpeModel(Vocab vocab, MergeTable merges, BpeOptions options, std::optional<CutTable> cuts);
  std::string kind() const override { return "BPE"; }
  void tokenize(std::string_view piece, std::vector<TokenId>& out) const override;
  void cut(std::string_view piece, TextSink sink) const override;

 private:
  // The ids of the single characters, appended to `out`.
  void add_characters(std::string_view piece, std::vector<TokenId>& out) const;
  bool add_bytes(std::string_view character, std::vector<TokenId>& out) const;
  // Merges the ids from `begin` on, in place.
  void merge_short(std::vector<TokenId>& ids, size_t begin) const;
  void merge_long(std::vector<TokenId>& ids, size_t begin) const;

  MergeTable merges_;
  BpeOptions options_;
  TokenId unk_id_ = Vocab::kNone;
  std::vector<TokenId> byte_ids_;  // of <0x00> to <0xFF>, kNone where absent
  std::optional<CutTable> cuts_;   // none: a piece cannot be cut
};

}  // namespace lk
