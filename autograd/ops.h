// Every differentiable operation. Each stands in autograd/ops/<name>.cc, forward and backward side
// by side.
//
// Tokens are packed: a batch is one row of T tokens, cut into documents by `offsets`; x: [T,
// d_model]. Activations are f32, bf16 or f64 ("the compute dtype"); parameters may be f32 beside
// bf16 activations (master weights): they are rounded on use and their gradients come back in the
// parameter's own dtype.
//
// All of an op's tensors lie on one device, and so does what it gives; losses and sums alone, [1],
// are numbers of the host. What has no CUDA kernel says so.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "autograd/places.h"
#include "autograd/var.h"

namespace lk {

// Products

// y [T, out] = x [T, in] W^T + b. W: [out, in], or [in, out] when `in_out` (GPT-2's Conv1D).
// bias [out] or undefined.
Var linear(const Var& x, const Var& weight, const Var& bias = {}, bool in_out = false);
// gelu_tanh(linear(...)), in one product where the library has it (CUDA, bf16).
Var linear_gelu_tanh(const Var& x, const Var& weight, const Var& bias = {}, bool in_out = false);
// y = base + scale * (x A^T) B^T. x [T, in], A [r, in], B [out, r], base [T, out] (Hu et al. 2021,
// eq. 3).
Var low_rank_add(Var base, const Var& x, const Var& a, const Var& b, float scale);

// H [n p, n q] = sum_i A_i (x) (L_i R_i), Kronecker products: rule A [n, n, n], left L [n, p, r],
// right R [n, r, q]; f32 or f64 (Compacter's weight; Mahabadi et al. 2021, eq. 5).
Var phm_weight(const Var& rule, const Var& left, const Var& right);
// One direction of one layer: x [T, in] -> the hidden states [T, h] from zero. W_ih: [4 h, in],
// W_hh: [4 h, h], b_ih, b_hh: [4 h], gates i, f, g, o; reverse: from the last row to the first.
Var lstm(const Var& x, const Var& w_ih, const Var& w_hh, const Var& b_ih, const Var& b_hh,
         bool reverse = false);
Var inverse(const Var& x);  // of a square matrix, f32 or f64
// y[t, rows[i]] += values[i] * x[t, cols[i]], from 0: a sparse W [out, in] times x [T, in]. values
// [n].
Var sparse_linear(const Var& x, const Var& values, std::shared_ptr<const SparsePlaces> places);

// Element by element

Var add(const Var& a, const Var& b);        // same shape
Var add_row(const Var& x, const Var& row);  // x [T, d] + row [d]
Var mul(const Var& a, const Var& b);        // same shape
Var mul_row(const Var& x, const Var& row);  // x [T, d] * row [d]
Var scale(const Var& x, float factor);
Var scale_by(const Var& x, const Var& s);  // s [1], learnt
Var gelu(const Var& x);                    // exact: x Phi(x)
Var gelu_tanh(const Var& x);               // GPT-2's gelu_new
Var relu(const Var& x);
Var silu(const Var& x);
Var tanh(const Var& x);
Var sigmoid(const Var& x);
Var swiglu(const Var& gate, const Var& up);  // silu(gate) * up (Shazeer 2020)
Var sin(const Var& x);
Var cos(const Var& x);
Var softmax(const Var& x);  // over the last dimension
// Zeroes each element with probability p and scales the rest by 1 / (1 - p). Each call takes the
// next stream of dropout_state(); p = 0 returns x.
Var dropout(const Var& x, float p);
Var cast(const Var& x, DType dtype);

// Norms, over the last dimension

// gain, bias: [d] (f32, or f64 beside f64).
Var layer_norm(const Var& x, const Var& gain, const Var& bias, float eps);
// A gain shorter than the last dimension norms its equal parts, e.g. the heads of a row.
Var rms_norm(const Var& x, const Var& gain, float eps);
// add(a, b) and its norm, to the same bits, with one pass over memory less.
struct NormedSum {
  Var sum, y;
};
NormedSum add_layer_norm(const Var& a, const Var& b, const Var& gain, const Var& bias, float eps);
NormedSum add_rms_norm(const Var& a, const Var& b, const Var& gain, float eps);  // gain: [d]

// Shape

Var embedding(const Var& table, std::span<const int32_t> ids,
              DType compute);                                  // [V, d], T ids -> [T, d]
Var gather_rows(const Var& x, std::span<const int32_t> rows);  // [T, d] -> [n, d]
Var concat_rows(const std::vector<Var>& parts);                // along the first dimension
std::vector<Var> split_columns(const Var& x,
                               const std::vector<int64_t>& widths);  // [T, sum] -> [T, w_i]
Var concat_columns(const std::vector<Var>& parts);
Var view(const Var& x, const Shape& shape);  // the same elements in a row
// The last two dimensions exchanged: [m, n] -> [n, m], [b, m, n] -> [b, n, m].
Var transpose(const Var& x);
// y[i] = x[index[i]] over the elements in a row, 0 where index[i] is -1.
Var take(const Var& x, std::shared_ptr<const Places> index, const Shape& shape);
// [T, d] -> [B, d], the mean over each document of `offsets` [B + 1].
Var mean_pool(const Var& x, std::span<const int32_t> offsets);

// Attention

// The angles position * inv_freq[i] of T tokens, made once for all layers of a batch.
struct RotaryTable {
  Tensor cos, sin;  // [T, D / 2], f32, or f64 for f64
};
// positions: [T], inv_freq: [D / 2]; attention_factor multiplies cos and sin (YaRN). dtype: of what
// will be turned.
RotaryTable make_rotary_table(std::span<const int32_t> positions, std::span<const float> inv_freq,
                              float attention_factor, DType dtype, Device device = Device::cpu);
// Rotates pairs (i, i + D/2) of each head by its token's angles (Su et al. 2021, as Llama in HF).
// x: [T, heads * D].
Var rotary(const Var& x, const RotaryTable& table);
// The same of tokens first .. first + n of the table, written to y; records nothing.
// y, x: [n, heads * D].
void rotary_into(const Tensor& y, const Tensor& x, const RotaryTable& table, int64_t first);

struct AttentionOptions {
  int64_t heads = 1, kv_heads = 1;  // query head h reads key head h / (heads / kv_heads)
  float scale = 1.0f;               // softmax(scale * q k^T) v
  bool causal = true;    // within a document; its last query is aligned with its last key
  int64_t window = 0;    // > 0: a query sees the `window` latest keys up to itself (causal only)
  float dropout = 0.0f;  // of the attention probabilities
};
// What T5 adds to the scores of a query and a key by their distance (Raffel et al. 2020):
// table[bucket(place of the key - position of the query)][head], where a document's keys have the
// places 0, 1, ... and its queries the positions q_start, q_start + 1, ...
struct RelativeBias {
  Var table;                                        // [buckets, heads]
  std::function<int32_t(int64_t distance)> bucket;  // in 0..buckets-1
  std::vector<int32_t> q_start;                     // [B]
};
// Documents attend to themselves only. q: [Tq, heads * D], k, v: [Tk, kv_heads * D];
// q_offsets, k_offsets: [B + 1] document boundaries in q and in k (a cache or prefix makes k
// longer). Memory is linear in the length: scores exist for a block of queries at a time (Dao et
// al. 2022).
Var attention(const Var& q, const Var& k, const Var& v, std::span<const int32_t> q_offsets,
              std::span<const int32_t> k_offsets, const AttentionOptions& options,
              const RelativeBias* bias = nullptr);

// Losses

// Sum over rows of -log softmax(x W^T + b)[label], labels -100 skipped: f32 [1] (f64 beside f64).
// Works through blocks of rows, so that the logits of a whole batch never exist. x [T, d],
// W [V, d], bias [V] or none.
Var linear_cross_entropy(const Var& x, const Var& weight, const Var& bias,
                         std::span<const int32_t> labels);
// The same from logits [B, C].
Var cross_entropy(const Var& logits, std::span<const int32_t> labels);
// Row by row, without the sum: log softmax(logits)[label], [B, C] -> [B], f32 (f64 beside f64); no
// label may be -100.
Var label_log_prob(const Var& logits, std::span<const int32_t> labels);
// -log(1 - p + epsilon) of log-probabilities log p, f32 or f64: what makes a token less likely
// (Welleck et al. 2019, arXiv:1908.04319).
Var unlikelihood(const Var& log_p, double epsilon);
// Sum over rows of KL(softmax(target) || softmax(logits)), both [B, C]; the target is a constant.
Var kl_divergence(const Var& logits, const Tensor& target);
Var sum(const Var& x);             // -> f32 [1] (f64 beside f64)
Var frobenius_norm(const Var& x);  // sqrt(sum x^2), likewise; its gradient at 0 is 0

}  // namespace lk
