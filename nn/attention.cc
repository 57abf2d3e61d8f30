#include "nn/attention.h"

namespace lk {
namespace {

// The prefix in the dtype of the keys: parameters stay f32 beside bf16 activations.
KvPrefix prefix_like(const Var& k, KvAdapter& adapter, const Var& x,
                     std::span<const int32_t> offsets) {
  const KvPrefix prefix = adapter.prefix(x, offsets);
  require(prefix.k.dim(1) == k.dim(1) && prefix.k.shape() == prefix.v.shape() &&
              (prefix.offsets.empty() || (prefix.offsets.size() == offsets.size() &&
                                          prefix.offsets.back() == prefix.k.dim(0))),
          "a prefix of keys {} and values {} does not fit {} documents with keys {}",
          prefix.k.shape(), prefix.v.shape(), offsets.size() - 1, k.shape());
  return {cast(prefix.k, k.dtype()), cast(prefix.v, k.dtype()), prefix.offsets};
}

// Keys of every document with the P prefix rows before its own; the same for values.
struct Prefixed {
  Var k, v;
  std::vector<int32_t> offsets;
};

Prefixed with_prefix(const Var& k, const Var& v, std::span<const int32_t> offsets,
                     const KvPrefix& prefix) {
  const auto all = static_cast<int32_t>(prefix.k.dim(0));
  std::vector<int32_t> rows;
  Prefixed out;
  out.offsets.push_back(0);
  for (size_t b = 0; b + 1 < offsets.size(); ++b) {
    const auto [first, last] = prefix.rows_of(b);
    for (int32_t i = first; i < last; ++i) rows.push_back(i);
    for (int32_t i = offsets[b]; i < offsets[b + 1]; ++i) rows.push_back(all + i);
    out.offsets.push_back(static_cast<int32_t>(rows.size()));
  }
  out.k = gather_rows(concat_rows({prefix.k, k}), rows);
  out.v = gather_rows(concat_rows({prefix.v, v}), rows);
  return out;
}

// One document at a time: each has a cache of its own length. q is turned already, k is not.
Var with_cache(const Var& q, const Var& k, const Var& v, const AttentionContext& context,
               const AttentionOptions& options, KvAdapter* adapter, const Var& x) {
  invariant(!grad_enabled(), "a key-value cache is for generation: use NoGrad");
  KvPrefix prefix;
  std::vector<Var> parts;
  for (size_t b = 0; b + 1 < context.offsets.size(); ++b) {
    const int32_t begin = context.offsets[b], end = context.offsets[b + 1];
    const auto document = static_cast<int64_t>(b);
    if (adapter && context.cache->length(document) == 0) {
      if (!prefix.k.defined()) prefix = prefix_like(k, *adapter, x, context.offsets);
      const auto [first, last] = prefix.rows_of(b);
      const auto [room_k, room_v] = context.cache->extend(document, context.layer, last - first);
      room_k.copy_from(prefix.k.value().rows(first, last));
      room_v.copy_from(prefix.v.value().rows(first, last));
    }
    const auto [room_k, room_v] = context.cache->extend(document, context.layer, end - begin);
    const Tensor new_k = k.value().rows(begin, end);
    if (context.rotary)
      rotary_into(room_k, new_k, *context.rotary, begin);  // straight into the cache
    else
      room_k.copy_from(new_k);
    room_v.copy_from(v.value().rows(begin, end));
    const auto [all_k, all_v] = context.cache->contents(document, context.layer);
    const int32_t q_offsets[] = {0, end - begin},
                  k_offsets[] = {0, static_cast<int32_t>(all_k.dim(0))};
    RelativeBias bias;
    if (context.bias)
      bias = {context.bias->table, context.bias->bucket, {context.bias->q_start[b]}};
    parts.push_back(attention(q.value().rows(begin, end), all_k, all_v, q_offsets, k_offsets,
                              options, context.bias ? &bias : nullptr));
  }
  return parts.size() == 1 ? parts[0] : concat_rows(parts);
}

}  // namespace

Var attend(const Var& q_in, const Var& k_in, const Var& v, const AttentionContext& context,
           const AttentionOptions& options, KvAdapter* prefix, const Var& x) {
  const Var q = context.rotary ? rotary(q_in, *context.rotary) : q_in;
  if (context.cache) return with_cache(q, k_in, v, context, options, prefix, x);
  const Var k = context.rotary ? rotary(k_in, *context.rotary) : k_in;
  if (prefix) {
    const Prefixed p =
        with_prefix(k, v, context.offsets, prefix_like(k, *prefix, x, context.offsets));
    return attention(q, p.k, p.v, context.offsets, p.offsets, options, context.bias);
  }
  return attention(q, k, v, context.offsets, context.offsets, options, context.bias);
}

Var attend_source(const Var& q, const KeysAndValues& keys_and_values, const SourceContext& context,
                  const AttentionOptions& options, KvAdapter* prefix, const Var& x) {
  KvCache* cache = context.cache;
  if (!cache || !cache->source(0, context.layer).first.defined()) {
    auto [k, v] = keys_and_values();
    std::vector<int32_t> offsets(context.k_offsets.begin(), context.k_offsets.end());
    if (prefix) {
      Prefixed p = with_prefix(k, v, offsets, prefix_like(k, *prefix, x, context.q_offsets));
      k = p.k;
      v = p.v;
      offsets = std::move(p.offsets);
    }
    if (!cache) return attention(q, k, v, context.q_offsets, offsets, options);
    for (size_t b = 0; b + 1 < offsets.size(); ++b)
      cache->set_source(static_cast<int64_t>(b), context.layer,
                        k.value().rows(offsets[b], offsets[b + 1]),
                        v.value().rows(offsets[b], offsets[b + 1]));
  }
  std::vector<Var> parts;
  for (size_t b = 0; b + 1 < context.q_offsets.size(); ++b) {
    const int32_t begin = context.q_offsets[b], end = context.q_offsets[b + 1];
    const auto [k, v] = cache->source(static_cast<int64_t>(b), context.layer);
    const int32_t q_offsets[] = {0, end - begin}, k_offsets[] = {0, static_cast<int32_t>(k.dim(0))};
    parts.push_back(attention(q.value().rows(begin, end), k, v, q_offsets, k_offsets, options));
  }
  return parts.size() == 1 ? parts[0] : concat_rows(parts);
}

}  // namespace lk
