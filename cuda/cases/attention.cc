// Attention and what goes before it.
#include "engine/kernels/attention.h"

#include "cuda/cases/families.h"
#include "engine/kernels/rotary.h"

namespace lk {
namespace {

// 128 tokens of one document.
struct Attention {
  int64_t heads, kv_heads, d;
  const char* note = "";
  bool causal = true;
  int64_t window = 0;
  float dropout = 0;
  bool biased = false;
};

template <class T>
void add_attention(Cases& cases, const Attention& a) {
  constexpr int64_t tokens = 128;
  static constexpr int32_t offsets[] = {0, tokens};
  const int64_t n = tokens * a.heads * a.d, kv = tokens * a.kv_heads * a.d,
                statistics = tokens * a.heads;
  const std::string name =
      fmt::format("{} [{}, {}, {}]{}", name_of(dtype_of<T>), tokens, a.heads, a.d, a.note);
  const AttentionShape shape{offsets, offsets,  1,        a.heads,   a.kv_heads, a.d,
                             0.125,   a.causal, a.window, a.dropout, 1,          2};
  // Of a head's two blocks of 64 queries the first sees half of the keys where the mask is causal:
  // both together read three halves of K and V; and a block of keys as much of the queries.
  const int64_t halves = a.causal ? 3 : 4;
  const auto bias = [=](CaseMemory& m, bool gradient) {
    constexpr int64_t count = 2 * tokens - 1;
    static constexpr int32_t origin[] = {tokens - 1};
    AttentionBias<float> out;
    if (!a.biased) return out;
    out.values = m.zeros<float>(a.heads * count);
    if (gradient) out.gradient = m.zeros<float>(a.heads * count);
    out.count = count;
    out.origin = origin;
    return out;
  };
  cases.push_back({"attention_forward", name, (2 * n + halves * n) * size<T> + statistics * 4,
                   [=](Cuda c, CaseMemory& m) {
                     const T *q = m.zeros<T>(n), *k = m.zeros<T>(kv), *v = m.zeros<T>(kv);
                     T* out = m.zeros<T>(n);
                     attention_forward(c, out, m.zeros<float>(statistics), q, k, v, shape,
                                       bias(m, false));
                   }});
  // dout and out for delta; q, dout, dq and those of k, v for dq; k, v, dk, dv and those of q, dout
  // for dk and dv; lse and delta in both, delta written once.
  cases.push_back({"attention_backward", name,
                   (5 * n + 4 * kv + 2 * halves * n) * size<T> + statistics * 4 * (3 + halves),
                   [=](Cuda c, CaseMemory& m) {
                     const T *q = m.zeros<T>(n), *k = m.zeros<T>(kv), *v = m.zeros<T>(kv);
                     const T *out = m.zeros<T>(n), *dout = m.zeros<T>(n);
                     T *dq = m.zeros<T>(n), *dk = m.zeros<T>(kv), *dv = m.zeros<T>(kv);
                     const float* lse = m.zeros<float>(statistics);
                     attention_backward(c, dq, dk, dv, dout, out, lse, q, k, v, shape,
                                        bias(m, true));
                   }});
}

template <class T>
void add_rotary(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t heads = 32, head_dim = 128;
  const int64_t positions = 128 * times;
  cases.push_back({"rotary_forward", fmt::format("{} [{}, 32, 128]", dtype, positions),
                   positions * head_dim * (2 * heads * size<T> + 4), [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(positions * heads * head_dim);
                     T* y = m.zeros<T>(positions * heads * head_dim);
                     const float *cos = m.zeros<float>(positions * head_dim / 2),
                                 *sin = m.zeros<float>(positions * head_dim / 2);
                     rotary_forward(c, y, x, cos, sin, positions, heads, head_dim, false);
                   }});
}

}  // namespace

void add_attention_cases(Cases& cases, int64_t times) {
  add_rotary<float>(cases, times);
  add_rotary<bf16>(cases, times);
  cases.push_back({"rotary_table", fmt::format("f32 [{}, 64]", 1024 * times),
                   1024 * times * (4 + 64 * 8) + 64 * 4, [=](Cuda c, CaseMemory& m) {
                     const int64_t rows = 1024 * times, half = 64;
                     float *cos = m.zeros<float>(rows * half), *sin = m.zeros<float>(rows * half);
                     const int32_t* at = m.ints(rows, [](int64_t i) { return i; });
                     rotary_table(c, cos, sin, at, m.zeros<float>(half), rows, half, 1.0f);
                   }});
  const int64_t heads = 4 * times;
  add_attention<bf16>(cases, {heads, heads, 64});
  add_attention<bf16>(cases, {heads, heads, 128});
  add_attention<bf16>(cases, {times, times, 256});
  add_attention<float>(cases, {heads, heads, 64});
  add_attention<bf16>(cases, {heads, heads, 64, ", not causal", false});
  add_attention<bf16>(cases, {heads, times, 64, ", 4 heads to a key"});
  add_attention<bf16>(cases, {heads, heads, 64, ", window of 64", true, 64});
  add_attention<bf16>(cases, {heads, heads, 64, ", dropout", true, 0, 0.1f});
  add_attention<bf16>(cases, {heads, heads, 64, ", bias", true, 0, 0, true});
}

}  // namespace lk
