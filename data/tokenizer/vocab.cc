#include "data/tokenizer/vocab.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/error.h"

namespace lk {

namespace {

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product =
      static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xC2B2AE3D27D4EB4Fu);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load(const char* at, size_t count) {
  uint64_t word = 0;
  std::memcpy(&word, at, count);
  return word;
}

}  // namespace

uint64_t hash_text(std::string_view text) {
  const char* at = text.data();
  size_t left = text.size();
  uint64_t h = left;
  for (; left > 16; at += 16, left -= 16) h = mix(load(at, 8) ^ h, load(at + 8, 8));
  const size_t low = std::min<size_t>(left, 8);
  return mix(load(at, low) ^ h, load(at + low, left - low));
}

void Vocab::reserve(size_t tokens, size_t bytes) {
  bytes_.reserve(bytes);
  entries_.reserve(tokens);
  slots_.assign(std::bit_ceil(std::max<size_t>(2 * tokens, 16)), kNone);
}

size_t Vocab::slot(std::string_view text) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash_text(text) & mask;
  while (slots_[at] != kNone && token(slots_[at]) != text) at = (at + 1) & mask;
  return at;
}

void Vocab::grow() {
  slots_.assign(std::max<size_t>(2 * slots_.size(), 16), kNone);
  for (TokenId id = 0; id < end_id(); ++id)
    if (has(id)) slots_[slot(token(id))] = id;
}

bool Vocab::add(std::string_view text, TokenId id) {
  if (has(id)) return false;
  require(bytes_.size() + text.size() < UINT32_MAX,
          "a vocabulary of more than 4 GB is not supported");
  if (static_cast<size_t>(id) >= entries_.size()) entries_.resize(id + 1);
  if (2 * (static_cast<size_t>(count_) + 1) > slots_.size()) grow();
  entries_[id] = {static_cast<uint32_t>(bytes_.size()), static_cast<int32_t>(text.size())};
  bytes_ += text;
  ++count_;
  slots_[slot(text)] = id;
  return true;
}

TokenId Vocab::find(std::string_view text) const {
  return slots_.empty() ? kNone : slots_[slot(text)];
}

}  // namespace lk
