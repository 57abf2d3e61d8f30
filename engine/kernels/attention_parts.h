// What the attention kernels share: a document's rows and mask, and the path of
// generation.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/attention.h"
#include "engine/kernels/math.h"
#include "engine/kernels/panel.h"
#include "engine/kernels/philox_lanes.h"

namespace lk {
namespace {

// Where a document's rows lie, and which keys each query sees.
struct Document {
  int64_t q0, q_rows, k0, k_rows, shift;
  Document(const AttentionShape& s, int64_t b)
      : q0(s.q_offsets[b]),
        q_rows(s.q_offsets[b + 1] - s.q_offsets[b]),
        k0(s.k_offsets[b]),
        k_rows(s.k_offsets[b + 1] - s.k_offsets[b]),
        shift(k_rows - q_rows) {}
  int64_t last(const AttentionShape& s, int64_t i) const {
    return s.causal ? std::min(k_rows - 1, i + shift) : k_rows - 1;
  }
  int64_t first(const AttentionShape& s, int64_t i) const {
    return s.causal && s.window > 0 ? std::max<int64_t>(0, i + shift - s.window + 1) : 0;
  }
};

// The bias of a query's pairs, by key; null where there is none.
template <class A>
const A* bias_row(const AttentionBias<A>& bias, int64_t b, int64_t h, int64_t i) {
  return bias.values ? bias.values + h * bias.count + bias.origin[b] - i : nullptr;
}

// The largest of `least` and n numbers, n a multiple of 16; NaN is passed over.
template <class A>
A largest(const A* x, int64_t n, A least) {
  A lanes[16];
  std::fill_n(lanes, 16, least);
  for (int64_t j = 0; j < n; j += 16)
    for (int64_t l = 0; l < 16; ++l) lanes[l] = x[j + l] > lanes[l] ? x[j + l] : lanes[l];
  A most = least;
  for (const A lane : lanes) most = lane > most ? lane : most;
  return most;
}

// What dropout multiplies the probabilities of N keys from key0 on with, 0 where dropped: a
// function of the mask's seed and the place alone. row: the query's row times the heads, and the
// head.
template <class Isa, int N, class A>
void dropout_factors(A (&factor)[N], int64_t key0, int64_t row, const AttentionShape& s) {
  PhiloxLanes<N / 4> words;
  philox_lanes<Isa>(words, s.seed, s.stream,
                    static_cast<uint64_t>(row) << 28 | static_cast<uint64_t>(key0 / 4));
  float u[N];
  uniform_in_order(u, words);
  const float share = s.dropout;
  const A keep = A(1) / A(1 - share);
  for (int j = 0; j < N; ++j) factor[j] = u[j] >= share ? keep : A(0);
}

template <class Isa>
int64_t padded(int64_t d) {
  return (d + 15) / 16 * 16;
}

// Whether few_queries_task takes this document.
inline bool is_decoding(const AttentionShape& s, int64_t b) {
  return s.q_offsets[b + 1] - s.q_offsets[b] <= 2 && s.dropout == 0;
}

// A query or two against many keys, as in generation: the panels would cost more than the products.
template <class Isa, class T>
void few_queries_task(T* out, acc_t<T>* lse, const T* q, const T* k, const T* v,
                      const AttentionShape& s, const AttentionBias<acc_t<T>>& bias, int64_t b,
                      int64_t h) {
  using A = acc_t<T>;
  constexpr int64_t kLanes = 16;
  const Document doc(s, b);
  const int64_t d = s.head_dim, dp = padded<Isa>(d), hk = h / (s.heads / s.kv_heads),
                q_stride = s.heads * d, k_stride = s.kv_heads * d;
  const T *k_doc = k + doc.k0 * k_stride + hk * d, *v_doc = v + doc.k0 * k_stride + hk * d;
  Panel<Isa, A> work(doc.k_rows + 2 * dp);
  A *p = work.get(), *qp = p + doc.k_rows, *o = qp + dp;
  for (int64_t i = 0; i < doc.q_rows; ++i) {
    const int64_t at = (doc.q0 + i) * q_stride + h * d, from = doc.first(s, i),
                  to = doc.last(s, i) + 1;
    for (int64_t j = 0; j < d; ++j) qp[j] = static_cast<A>(q[at + j]) * static_cast<A>(s.scale);
    A top = -std::numeric_limits<A>::infinity();
    const A* added = bias_row(bias, b, h, i);
    for (int64_t key = from; key < to; ++key) {
      const T* row = k_doc + key * k_stride;
      A lanes[kLanes] = {}, sum = 0;
      int64_t j = 0;
      for (; j + kLanes <= d; j += kLanes)
        for (int64_t l = 0; l < kLanes; ++l) lanes[l] += qp[j + l] * static_cast<A>(row[j + l]);
      for (; j < d; ++j) sum += qp[j] * static_cast<A>(row[j]);
      for (const A lane : lanes) sum += lane;
      if (added) sum += added[key];
      p[key] = sum;
      top = sum > top ? sum : top;
    }
    for (int64_t j = 0; j < d; ++j) o[j] = A(0);
    A total = 0;
    for (int64_t key = from; key < to; ++key) {
      const A e = math::exp(p[key] - top);
      const T* row = v_doc + key * k_stride;
      total += e;
      for (int64_t j = 0; j < d; ++j) o[j] += e * static_cast<A>(row[j]);
    }
    const A inverse = total == A(0) ? A(0) : A(1) / total;
    for (int64_t j = 0; j < d; ++j) out[at + j] = T(o[j] * inverse);
    lse[(doc.q0 + i) * s.heads + h] = total == A(0) ? top : top + std::log(total);
  }
}

}  // namespace
}  // namespace lk
