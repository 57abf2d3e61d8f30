// A vocabulary: tokens (byte strings) to ids and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lk {

using TokenId = int32_t;

// A fast hash of short strings; not for untrusted keys that may try to collide.
uint64_t hash_text(std::string_view text);

class Vocab {
 public:
  static constexpr TokenId kNone = -1;

  // Room for so many tokens with so many bytes in all.
  void reserve(size_t tokens, size_t bytes);
  // Adds a token. False when the id is taken. A token that is there already keeps its old text
  // under the old id, but is found under the new one.
  bool add(std::string_view token, TokenId id);
  // The id of a token, or kNone.
  TokenId find(std::string_view token) const;
  bool has(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < entries_.size() && entries_[id].length >= 0;
  }
  // The token of an id that `has`.
  std::string_view token(TokenId id) const {
    return {bytes_.data() + entries_[id].at, static_cast<size_t>(entries_[id].length)};
  }
  // Number of ids in use.
  int64_t count() const { return count_; }
  // One more than the largest id.
  int64_t end_id() const { return static_cast<int64_t>(entries_.size()); }

 private:
  struct Entry {
    uint32_t at = 0;
    int32_t length = -1;
  };
  // The slot of a token: where it is, or the free one where it would go.
  size_t slot(std::string_view token) const;
  void grow();

  std::string bytes_;
  std::vector<Entry> entries_;  // by id
  std::vector<TokenId> slots_;  // open addressing, a power of two
  int64_t count_ = 0;
};

}  // namespace lk
