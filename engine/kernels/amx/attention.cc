// Attention in bf16 on matrix tiles. A task is a document and a key head; the products take P and
// dS rounded to bf16, as on GPUs (Dao et al. 2022); sums, softmax and statistics stay f32.
// head_dim is a multiple of 32 and there is no bias: engine/kernels/attention.cc has the rest.
#include "engine/kernels/attention.h"

#include "engine/kernels/amx/tiles.h"
#include "engine/kernels/attention_parts.h"

namespace lk {
namespace {

constexpr int64_t kQueries = 32, kKeys = 64;

int64_t key_blocks(const Document& doc) { return (doc.k_rows + kKeys - 1) / kKeys; }

// Rows of x side by side, zeros behind the last.
template <class Isa>
void copy_rows(bf16* to, const bf16* x, int64_t stride, int64_t rows, int64_t padded_rows,
               int64_t d) {
  for (int64_t i = 0; i < padded_rows; ++i)
    for (int64_t j = 0; j < d; ++j) to[i * d + j] = i < rows ? x[i * stride + j] : bf16{};
}

template <class Isa>
void forward_task(bf16* out, float* lse, const bf16* q, const bf16* k, const bf16* v,
                  const AttentionShape& s, int64_t b, int64_t hk) {
  const Document doc(s, b);
  const int64_t d = s.head_dim, group = s.heads / s.kv_heads, q_stride = s.heads * d,
                k_stride = s.kv_heads * d, blocks = key_blocks(doc);
  Panel<Isa, bf16> kt_panel(blocks * kKeys * d), v_panel(blocks * kKeys * d),
      narrow(kQueries * (d + kKeys));
  Panel<Isa, float> wide(kQueries * (d + kKeys + 2));
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t j0 = block * kKeys, at = (doc.k0 + j0) * k_stride + hk * d;
    pair_transposed<Isa>(kt_panel.get() + j0 * d, k + at, k_stride, doc.k_rows - j0, kKeys, d);
    pair_rows<Isa>(v_panel.get() + j0 * d, v + at, k_stride, doc.k_rows - j0, kKeys, d);
  }
  bf16 *qp = narrow.get(), *p = qp + kQueries * d;
  float *o = wide.get(), *scores = o + kQueries * d, *most = scores + kQueries * kKeys,
        *total = most + kQueries;
  const float scale = static_cast<float>(s.scale), low = -std::numeric_limits<float>::infinity();
  const TileScope tiles;
  for (int64_t h = hk * group; h < (hk + 1) * group; ++h)
    for (int64_t i0 = 0; i0 < doc.q_rows; i0 += kQueries) {
      const int64_t rows = std::min(kQueries, doc.q_rows - i0);
      copy_rows<Isa>(qp, q + (doc.q0 + i0) * q_stride + h * d, q_stride, rows, kQueries, d);
      std::fill_n(o, kQueries * d, 0.0f);
      std::fill_n(most, kQueries, low);
      std::fill_n(total, kQueries, 0.0f);
      const int64_t block_end = (doc.last(s, i0 + rows - 1) + kKeys) / kKeys;
      for (int64_t block = doc.first(s, i0) / kKeys; block < block_end; ++block) {
        const int64_t j0 = block * kKeys;
        tile_product<Isa>(scores, kKeys, qp, d, kt_panel.get() + j0 * d, kKeys, kQueries, kKeys, d,
                          false);
        for (int64_t i = 0; i < kQueries; ++i) {
          float* si = scores + i * kKeys;
          bf16* pi = p + i * kKeys;
          const int32_t from =
                            static_cast<int32_t>(std::max<int64_t>(0, doc.first(s, i0 + i) - j0)),
                        to = static_cast<int32_t>(
                            i < rows ? std::min(kKeys, doc.last(s, i0 + i) - j0 + 1) : 0);
          for (int32_t j = 0; j < kKeys; ++j) si[j] = j >= from && j < to ? si[j] * scale : low;
          const float top = largest(si, kKeys, most[i]);
          if (top == low) {  // nothing seen yet
            std::fill_n(pi, kKeys, bf16{});
            continue;
          }
          const float shrink = most[i] == low ? 0.0f : math::exp(most[i] - top);
          float lanes[16] = {};
          for (int64_t j = 0; j < kKeys; j += 16)
            for (int64_t l = 0; l < 16; ++l) {
              si[j + l] = math::exp(si[j + l] - top);
              lanes[l] += si[j + l];
            }
          float sum = 0;
          for (const float lane : lanes) sum += lane;
          total[i] = total[i] * shrink + sum;
          most[i] = top;
          if (s.dropout > 0) {
            float factor[kKeys];
            dropout_factors<Isa>(factor, j0, (doc.q0 + i0 + i) * s.heads + h, s);
            for (int64_t j = 0; j < kKeys; ++j) si[j] *= factor[j];
          }
          for (int64_t j = 0; j < kKeys; ++j) pi[j] = bf16(si[j]);
          if (shrink != 1.0f)
            for (int64_t j = 0; j < d; ++j) o[i * d + j] *= shrink;
        }
        tile_product<Isa>(o, d, p, kKeys, v_panel.get() + j0 * d, d, kQueries, d, kKeys, true);
      }
      for (int64_t i = 0; i < rows; ++i) {
        // A NaN total stays one.
        const float inverse = total[i] == 0.0f ? 0.0f : 1.0f / total[i];
        bf16* to = out + (doc.q0 + i0 + i) * q_stride + h * d;
        for (int64_t j = 0; j < d; ++j) to[j] = bf16(o[i * d + j] * inverse);
        lse[(doc.q0 + i0 + i) * s.heads + h] =
            total[i] == 0.0f ? low : most[i] + std::log(total[i]);
      }
    }
}

// Scores are taken transposed, S^T = K Q^T, so that P^T and dS^T come as the left factors of dV and
// dK; dQ^T = K^T dS^T then needs K transposed, once a task.
template <class Isa>
void backward_task(bf16* dq, bf16* dk, bf16* dv, const bf16* dout, const bf16* out,
                   const float* lse, const bf16* q, const bf16* k, const bf16* v,
                   const AttentionShape& s, int64_t b, int64_t hk) {
  const Document doc(s, b);
  const int64_t d = s.head_dim, group = s.heads / s.kv_heads, q_stride = s.heads * d,
                k_stride = s.kv_heads * d, keys = key_blocks(doc) * kKeys,
                k_at = doc.k0 * k_stride + hk * d, tile = kKeys * kQueries;
  Panel<Isa, bf16> k_rows(keys * d), v_rows(keys * d), kt(keys * d),
      narrow(4 * kQueries * d + 3 * tile);
  Panel<Isa, float> dk_sum(keys * d), dv_sum(keys * d), wide(kQueries * (d + 2) + 3 * tile);
  copy_rows<Isa>(k_rows.get(), k + k_at, k_stride, doc.k_rows, keys, d);
  copy_rows<Isa>(v_rows.get(), v + k_at, k_stride, doc.k_rows, keys, d);
  for (int64_t i = 0; i < keys; ++i)
    for (int64_t j = 0; j < d; ++j) kt.get()[j * keys + i] = k_rows.get()[i * d + j];
  bf16 *q_t = narrow.get(), *g_t = q_t + kQueries * d, *q_pairs = g_t + kQueries * d,
       *g_pairs = q_pairs + kQueries * d, *p = g_pairs + kQueries * d, *ds = p + tile,
       *ds_pairs = ds + tile;
  float *dq_t = wide.get(), *scores = dq_t + kQueries * d, *dp = scores + tile, *norm = dp + tile,
        *delta = norm + kQueries, *mask = delta + kQueries;
  std::fill_n(mask, tile, 1.0f);
  int32_t from[kQueries], to[kQueries];
  const float scale = static_cast<float>(s.scale);
  const TileScope tiles;
  for (int64_t h = hk * group; h < (hk + 1) * group; ++h)
    for (int64_t i0 = 0; i0 < doc.q_rows; i0 += kQueries) {
      const int64_t rows = std::min(kQueries, doc.q_rows - i0),
                    at = (doc.q0 + i0) * q_stride + h * d;
      pair_transposed<Isa>(q_t, q + at, q_stride, rows, kQueries, d);
      pair_transposed<Isa>(g_t, dout + at, q_stride, rows, kQueries, d);
      pair_rows<Isa>(q_pairs, q + at, q_stride, rows, kQueries, d);
      pair_rows<Isa>(g_pairs, dout + at, q_stride, rows, kQueries, d);
      std::fill_n(dq_t, kQueries * d, 0.0f);
      for (int64_t i = 0; i < kQueries; ++i) {
        from[i] = to[i] = 0;
        norm[i] = delta[i] = 0;
        if (i >= rows) continue;
        from[i] = static_cast<int32_t>(doc.first(s, i0 + i));
        to[i] = static_cast<int32_t>(doc.last(s, i0 + i) + 1);
        norm[i] = lse[(doc.q0 + i0 + i) * s.heads + h];
        float sum = 0;
        for (int64_t j = 0; j < d; ++j)
          sum += static_cast<float>(dout[at + i * q_stride + j]) *
                 static_cast<float>(out[at + i * q_stride + j]);
        delta[i] = sum;
      }
      const int64_t block_end = (doc.last(s, i0 + rows - 1) + kKeys) / kKeys;
      for (int64_t block = doc.first(s, i0) / kKeys; block < block_end; ++block) {
        const int64_t j0 = block * kKeys;
        tile_product<Isa>(scores, kQueries, k_rows.get() + j0 * d, d, q_t, kQueries, kKeys,
                          kQueries, d, false);
        tile_product<Isa>(dp, kQueries, v_rows.get() + j0 * d, d, g_t, kQueries, kKeys, kQueries, d,
                          false);
        for (int64_t i = 0; i < rows && s.dropout > 0; ++i) {
          float factor[kKeys];
          dropout_factors<Isa>(factor, j0, (doc.q0 + i0 + i) * s.heads + h, s);
          for (int64_t j = 0; j < kKeys; ++j) mask[j * kQueries + i] = factor[j];
        }
        for (int64_t j = 0; j < kKeys; ++j) {
          const float *sj = scores + j * kQueries, *dj = dp + j * kQueries,
                      *mj = mask + j * kQueries;
          bf16 *pj = p + j * kQueries, *dsj = ds + j * kQueries;
          const auto key = static_cast<int32_t>(j0 + j);
          for (int64_t i = 0; i < kQueries; ++i) {
            const float seen = math::exp(sj[i] * scale - norm[i]),
                        e = key >= from[i] && key < to[i] ? seen : 0.0f;
            pj[i] = bf16(e * mj[i]);
            dsj[i] = bf16(e == 0.0f ? 0.0f : e * (dj[i] * mj[i] - delta[i]) * scale);
          }
        }
        pair_rows<Isa>(ds_pairs, ds, kQueries, kKeys, kKeys, kQueries);
        tile_product<Isa>(dv_sum.get() + j0 * d, d, p, kQueries, g_pairs, d, kKeys, d, kQueries,
                          true);
        tile_product<Isa>(dk_sum.get() + j0 * d, d, ds, kQueries, q_pairs, d, kKeys, d, kQueries,
                          true);
        tile_product<Isa>(dq_t, kQueries, kt.get() + j0, keys, ds_pairs, kQueries, d, kQueries,
                          kKeys, true);
      }
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < d; ++j) dq[at + i * q_stride + j] = bf16(dq_t[j * kQueries + i]);
    }
  for (int64_t i = 0; i < doc.k_rows; ++i)
    for (int64_t j = 0; j < d; ++j) {
      dk[k_at + i * k_stride + j] = bf16(dk_sum.get()[i * d + j]);
      dv[k_at + i * k_stride + j] = bf16(dv_sum.get()[i * d + j]);
    }
}

// Tiles pay from about this many keys on: they are computed whole, and their results come late.
constexpr int64_t kShort = 64;

bool is_short(const AttentionShape& s, int64_t b) {
  return s.k_offsets[b + 1] - s.k_offsets[b] < kShort;
}

bool all_short(const AttentionShape& s) {
  for (int64_t b = 0; b < s.documents; ++b)
    if (!is_short(s, b)) return false;
  return true;
}

AttentionShape document(AttentionShape s, int64_t b) {
  s.documents = 1;
  s.q_offsets += b;
  s.k_offsets += b;
  return s;
}

}  // namespace

template <>
void attention_forward(Amx, bf16* out, float* lse, const bf16* q, const bf16* k, const bf16* v,
                       const AttentionShape& s, const AttentionBias<float>& bias) {
  if (all_short(s)) return attention_forward(Avx512{}, out, lse, q, k, v, s, bias);
  const int64_t tasks = s.documents * s.kv_heads, group = s.heads / s.kv_heads;
#pragma omp parallel for schedule(dynamic, 1) if (tasks > 1)
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t b = t / s.kv_heads, hk = t % s.kv_heads;
    if (is_short(s, b)) {
      if (hk == 0) attention_forward(Avx512{}, out, lse, q, k, v, document(s, b), bias);
    } else if (is_decoding(s, b)) {
      for (int64_t h = hk * group; h < (hk + 1) * group; ++h)
        few_queries_task<Amx>(out, lse, q, k, v, s, bias, b, h);
    } else {
      forward_task<Amx>(out, lse, q, k, v, s, b, hk);
    }
  }
}

template <>
void attention_backward(Amx, bf16* dq, bf16* dk, bf16* dv, const bf16* dout, const bf16* out,
                        const float* lse, const bf16* q, const bf16* k, const bf16* v,
                        const AttentionShape& s, const AttentionBias<float>& bias) {
  if (all_short(s))
    return attention_backward(Avx512{}, dq, dk, dv, dout, out, lse, q, k, v, s, bias);
  const int64_t tasks = s.documents * s.kv_heads;
#pragma omp parallel for schedule(dynamic, 1) if (tasks > 1)
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t b = t / s.kv_heads, hk = t % s.kv_heads;
    if (!is_short(s, b))
      backward_task<Amx>(dq, dk, dv, dout, out, lse, q, k, v, s, b, hk);
    else if (hk == 0)
      attention_backward(Avx512{}, dq, dk, dv, dout, out, lse, q, k, v, document(s, b), bias);
  }
}

}  // namespace lk
