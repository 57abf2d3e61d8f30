#include "data/tokenizer/word_cache.h"

namespace lk {

void WordCache::clear() {
  entries_.assign(1024, Entry{});
  mask_ = entries_.size() - 1;
  bytes_.clear();
  ids_.clear();
  count_ = 0;
}

void WordCache::grow() {
  std::vector<Entry> old(2 * entries_.size());
  old.swap(entries_);
  mask_ = entries_.size() - 1;
  for (const Entry& e : old) {
    if (e.ids_end == 0) continue;
    size_t at = e.hash & mask_;
    while (entries_[at].ids_end != 0) at = (at + 1) & mask_;
    entries_[at] = e;
  }
}

void WordCache::add(std::string_view text, uint64_t hash, std::span<const TokenId> ids) {
  if (text.size() > kMaxText) return;
  if (count_ == kMaxWords) clear();
  if (2 * (count_ + 1) > entries_.size()) grow();
  size_t at = hash & mask_;
  while (entries_[at].ids_end != 0) at = (at + 1) & mask_;
  entries_[at] = {hash, static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size()),
                  static_cast<uint32_t>(ids_.size()),
                  static_cast<uint32_t>(ids_.size() + ids.size() + 1)};
  bytes_ += text;
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  ++count_;
}

}  // namespace lk
