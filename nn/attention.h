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
};

// q: [T, heads * D], k, v: [T, kv_heads * D] -> [T, heads * D]. x: [T, d], what they were made of,
// for the prefix to read.
Var attend(const Var& q, const Var& k, const Var& v, const AttentionContext& context,
           const AttentionOptions& options, KvAdapter* prefix = nullptr, const Var& x = {});

}  // namespace lk
