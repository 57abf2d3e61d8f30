// Remembers the ids of the pieces seen before: most words of a text are old acquaintances.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/vocab.h"

namespace lk {

// Not for several threads at once. Holds at most kMaxWords; past that it starts anew, so its memory
// is bounded (about 10 MB) whatever the text.
class WordCache {
 public:
  static constexpr size_t kMaxText = 64;  // longer pieces are not kept
  static constexpr size_t kMaxWords = 1 << 16;

  WordCache() { clear(); }
  // The ids of `text`, or false when it is not known.
  bool find(std::string_view text, uint64_t hash, std::span<const TokenId>& ids) const {
    for (size_t at = hash & mask_; entries_[at].ids_end != 0; at = (at + 1) & mask_) {
      const Entry& e = entries_[at];
      if (e.hash != hash || std::string_view(bytes_.data() + e.text_at, e.text_length) != text)
        continue;
      ids = {ids_.data() + e.ids_at, e.ids_end - 1 - e.ids_at};
      return true;
    }
    return false;
  }
  // Keeps a piece that `find` did not find.
  void add(std::string_view text, uint64_t hash, std::span<const TokenId> ids);

 private:
  struct Entry {
    uint64_t hash = 0;
    uint32_t text_at = 0;
    uint32_t text_length = 0;
    uint32_t ids_at = 0;
    uint32_t ids_end = 0;  // plus one; 0: free
  };
  void clear();
  void grow();

  std::vector<Entry> entries_;  // open addressing, a power of two
  std::string bytes_;
  std::vector<TokenId> ids_;
  size_t mask_ = 0;
  size_t count_ = 0;
};

}  // namespace lk
