#include "engine/kernels/attention.h"

#include "cuda/cases/families.h"

namespace lk {
namespace {

constexpr int64_t kTile = 64;  // queries, and keys, that a block has at a time

// One causal document.
struct Causal {
  int64_t tokens, heads, d, kv_heads = heads, window = 0;
  float dropout = 0;
  bool bias = false;

  int64_t tiles() const { return tokens / kTile; }
  // Tiles of keys that the queries of tile t see.
  int64_t seen(int64_t t) const {
    const int64_t oldest = window > 0 ? t * kTile - window + 1 : 0;
    return t + 1 - (oldest > 0 ? oldest / kTile : 0);
  }
  int64_t pairs() const {
    int64_t sum = 0;
    for (int64_t t = 0; t < tiles(); ++t) sum += seen(t);
    return sum;
  }
  int64_t rows() const { return tokens * heads; }
  int64_t distances() const { return 2 * tokens - 1; }
  // Of the bias, each block of queries reads what the keys that it sees are away.
  int64_t bias_bytes() const {
    return bias ? heads * (pairs() * kTile + tiles() * (kTile - 1)) * 4 : 0;
  }
  // Each block of queries reads the keys that it sees. size: of an element.
  int64_t forward_bytes(int64_t size) const {
    return rows() * (2 * d * size + 4) + heads * pairs() * 2 * kTile * d * size + bias_bytes();
  }
  // dout and out for delta; q, dout, dq, lse, delta and the keys that each block sees for dq; k, v,
  // dk, dv and of the queries that each block is seen by q, dout, lse and delta. The bias twice;
  // its gradient is summed in each tile's diagonals, then over the tiles.
  int64_t backward_bytes(int64_t size) const {
    const int64_t sums =
        bias ? heads * 4 * (pairs() * (2 * kTile - 1) * 2 + (tiles() + 1) * distances()) : 0;
    return rows() * ((2 + 3) * d * size + 3 * 4) + tokens * kv_heads * 4 * d * size +
           heads * pairs() * kTile * (4 * d * size + 2 * 4) + 2 * bias_bytes() + sums;
  }
};

// Calls f(shape, bias) with what the case asks for.
template <class F>
void with_shape(const Causal& c, CaseMemory& m, bool gradient, F f) {
  const int32_t offsets[] = {0, static_cast<int32_t>(c.tokens)},
                origin[] = {static_cast<int32_t>(c.tokens - 1)};
  const AttentionShape shape{offsets, offsets, 1,        c.heads,   c.kv_heads, c.d,
                             0.125,   true,    c.window, c.dropout, 0,          0};
  AttentionBias<float> bias;
  if (c.bias) {
    bias = {m.zeros<float>(c.heads * c.distances()), nullptr, c.distances(), origin};
    if (gradient) bias.gradient = m.zeros<float>(c.heads * c.distances());
  }
  f(shape, bias);
}

template <class T>
void add_causal(Cases& cases, const Causal& a, const char* note = "") {
  const std::string name =
      fmt::format("{} [{}, {}, {}]{}", name_of(dtype_of<T>), a.tokens, a.heads, a.d, note);
  const int64_t n = a.rows() * a.d, nk = a.tokens * a.kv_heads * a.d;
  cases.push_back({"attention_forward", name, a.forward_bytes(size<T>), [=](Cuda c, CaseMemory& m) {
                     const T *q = m.zeros<T>(n), *k = m.zeros<T>(nk), *v = m.zeros<T>(nk);
                     T* out = m.zeros<T>(n);
                     float* lse = m.zeros<float>(a.rows());
                     with_shape(a, m, false, [&](const auto& shape, const auto& bias) {
                       attention_forward(c, out, lse, q, k, v, shape, bias);
                     });
                   }});
  cases.push_back(
      {"attention_backward", name, a.backward_bytes(size<T>), [=](Cuda c, CaseMemory& m) {
         const T *q = m.zeros<T>(n), *k = m.zeros<T>(nk), *v = m.zeros<T>(nk);
         const T *out = m.zeros<T>(n), *dout = m.zeros<T>(n);
         T *dq = m.zeros<T>(n), *dk = m.zeros<T>(nk), *dv = m.zeros<T>(nk);
         const float* lse = m.zeros<float>(a.rows());
         with_shape(a, m, true, [&](const auto& shape, const auto& bias) {
           attention_backward(c, dq, dk, dv, dout, out, lse, q, k, v, shape, bias);
         });
       }});
}

}  // namespace

void add_attention_cases(Cases& cases, int64_t times) {
  const int64_t heads = 4 * times;
  add_causal<bf16>(cases, {.tokens = 128, .heads = heads, .d = 64});
  add_causal<bf16>(cases, {.tokens = 128, .heads = 2 * times, .d = 128});
  add_causal<bf16>(cases, {.tokens = 128, .heads = times, .d = 256});
  add_causal<float>(cases, {.tokens = 128, .heads = heads, .d = 64});
  add_causal<float>(cases, {.tokens = 128, .heads = 2 * times, .d = 128});
  add_causal<bf16>(cases, {.tokens = 128, .heads = heads, .d = 64, .kv_heads = times},
                   ", four heads to a key's");
  add_causal<bf16>(cases, {.tokens = 256, .heads = 2 * times, .d = 64, .window = 64},
                   ", window of 64");
  add_causal<bf16>(cases, {.tokens = 128, .heads = heads, .d = 64, .dropout = 0.1f}, ", dropout");
  add_causal<bf16>(cases, {.tokens = 128, .heads = heads, .d = 64, .bias = true}, ", bias");
  add_causal<float>(cases, {.tokens = 128, .heads = heads, .d = 64, .bias = true}, ", bias");
}

}  // namespace lk
