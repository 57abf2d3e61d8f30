// softmax(scale q k^T + mask) v over packed documents, a block of scores at a time (Dao et al.
// 2022, "FlashAttention"): memory grows with the length, not with its square.
#pragma once

#include "engine/dtype.h"

namespace lk {

struct AttentionShape {
  const int32_t* q_offsets;  // [documents + 1], rows of q
  const int32_t* k_offsets;  // [documents + 1], rows of k and v
  int64_t documents, heads, kv_heads, head_dim;
  double scale;
  bool causal;     // the last query of a document sees its last key, the one before one less ...
  int64_t window;  // > 0: and only the `window` latest of them
  float dropout;   // of the probabilities; kept ones are scaled by 1 / (1 - dropout)
  uint64_t seed, stream;  // of the dropout mask
};

// Added to the scores: head h gives query i and key j of document b
//   values[h * count + origin[b] + j - i]
// which depends on their distance alone (Raffel et al. 2020). Every index that a seen pair needs is
// in 0..count-1.
template <class A>
struct AttentionBias {
  const A* values = nullptr;  // [heads, count]; null: nothing is added
  A* gradient = nullptr;      // [documents, heads, count], zeroed; null: not wanted
  int64_t count = 0;
  const int32_t* origin = nullptr;  // [documents]
};

// out, q: [Tq, heads, head_dim]; k, v: [Tk, kv_heads, head_dim]; lse: [Tq, heads], the log of each
// softmax's denominator (-inf where a query sees no key; its output is 0).
template <class Isa, class T>
void attention_forward(Isa, T* out, acc_t<T>* lse, const T* q, const T* k, const T* v,
                       const AttentionShape& shape, const AttentionBias<acc_t<T>>& bias);

// dq like q; dk, dv like k. P = exp(scale q k^T + bias - lse), D = rowsum(dout * out):
//   dv = P^T dout     dS = P * (dout v^T - D)     dq = scale dS k     dk = scale dS^T q
// and the bias gets the sums of dS over its pairs.
template <class Isa, class T>
void attention_backward(Isa, T* dq, T* dk, T* dv, const T* dout, const T* out, const acc_t<T>* lse,
                        const T* q, const T* k, const T* v, const AttentionShape& shape,
                        const AttentionBias<acc_t<T>>& bias);

}  // namespace lk
