// Multi-head attention as every model here uses it: from q, k, v of packed documents to the
// context, with a key-value cache or a learnt prefix where there is one.
#pragma once

#include <memory>

#include "autograd/ops.h"
#include "nn/hooks.h"
#include "nn/kv_cache.h"

namespace lk {

struct AttentionContext {
  std::span<const int32_t> offsets;  // [B + 1]
  KvCache* cache = nullptr;          // generation: keys and values of earlier tokens
  int64_t layer = 0;
  const RelativeBias* bias = nullptr;
  const RotaryTable* rotary = nullptr;  // turns q and k; a prefix stays as it is
};

// q: [T, heads * D], k, v: [T, kv_heads * D] -> [T, heads * D]. x: [T, d], what they were made of,
// for the prefix to read.
Var attend(const Var& q, const Var& k, const Var& v, const AttentionContext& context,
           const AttentionOptions& options, KvAdapter* prefix = nullptr, const Var& x = {});

// A decoder's attention to what the encoder read: document b of the queries sees document b of the
// source. With a cache, keys and values are made once, when its document has none. x: [T, d], what
// q was made of, for the prefix to read.
struct SourceContext {
  std::span<const int32_t> q_offsets, k_offsets;  // [B + 1]
  KvCache* cache = nullptr;
  int64_t layer = 0;
};
using KeysAndValues = std::function<std::pair<Var, Var>()>;  // two of [S, kv_heads * D]
Var attend_source(const Var& q, const KeysAndValues& keys_and_values, const SourceContext& context,
                  const AttentionOptions& options, KvAdapter* prefix = nullptr, const Var& x = {});

}  // namespace lk
