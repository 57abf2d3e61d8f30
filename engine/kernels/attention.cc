// One task is a document and a head (forward) or a document and a key head (backward). Its keys and
// values are copied once into panels of the accumulator type: k^T in blocks of kKeys columns, so
// that a row of scores is a run of vectors, and v (or k) with rows padded to whole vectors. Queries
// come in blocks of kQueries; the softmax is the running one of FlashAttention. The products bound
// it.
#include "engine/kernels/attention.h"

#include "engine/kernels/attention_parts.h"
#include "engine/kernels/attention_tile.h"
#include "engine/parallel.h"

namespace lk {
namespace {

constexpr int64_t kQueries = 32, kKeys = 64;

// panel [rows, dp] from x, whose rows are `stride` apart.
template <class Isa, class T, class A>
void copy_rows(A* panel, int64_t dp, const T* x, int64_t stride, int64_t rows, int64_t d) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < d; ++j) panel[i * dp + j] = static_cast<A>(x[i * stride + j]);
}

// panel: blocks of [d, kKeys], the transposed rows of x.
template <class Isa, class T, class A>
void copy_transposed(A* panel, const T* x, int64_t stride, int64_t rows, int64_t d) {
  for (int64_t i = 0; i < rows; ++i) {
    A* column = panel + (i / kKeys) * d * kKeys + i % kKeys;
    for (int64_t j = 0; j < d; ++j) column[j * kKeys] = static_cast<A>(x[i * stride + j]);
  }
}

// scores [from, to) of a block of keys + bias / scale: they are multiplied by scale later on.
template <class Isa, class A>
void add_bias(A* scores, const A* row, int64_t j0, int64_t from, int64_t to, A scale) {
  if (!row) return;
  const A inverse = A(1) / scale;
  for (int64_t j = from; j < to; ++j) scores[j] += row[j0 + j] * inverse;
}

template <class Isa, class T>
void forward_task(T* out, acc_t<T>* lse, const T* q, const T* k, const T* v,
                  const AttentionShape& s, const AttentionBias<acc_t<T>>& bias, int64_t b,
                  int64_t h) {
  using A = acc_t<T>;
  const Document doc(s, b);
  const int64_t d = s.head_dim, dp = padded<Isa>(d), hk = h / (s.heads / s.kv_heads);
  const int64_t q_stride = s.heads * d, k_stride = s.kv_heads * d,
                blocks = (doc.k_rows + kKeys - 1) / kKeys;
  Panel<Isa, A> kt_panel(blocks * d * kKeys), v_panel(blocks * kKeys * dp),
      work(kQueries * (d + dp + kKeys + 2));
  A *kt = kt_panel.get(), *vp = v_panel.get();
  copy_transposed<Isa>(kt, k + doc.k0 * k_stride + hk * d, k_stride, doc.k_rows, d);
  copy_rows<Isa>(vp, dp, v + doc.k0 * k_stride + hk * d, k_stride, doc.k_rows, d);
  A *qp = work.get(), *o = qp + kQueries * d, *p = o + kQueries * dp, *most = p + kQueries * kKeys,
    *total = most + kQueries;
  const A scale = static_cast<A>(s.scale), low = -std::numeric_limits<A>::infinity();

  for (int64_t i0 = 0; i0 < doc.q_rows; i0 += kQueries) {
    const int64_t rows = std::min(kQueries, doc.q_rows - i0);
    copy_rows<Isa>(qp, d, q + (doc.q0 + i0) * q_stride + h * d, q_stride, rows, d);
    std::fill_n(o, rows * dp, A(0));
    std::fill_n(most, rows, low);
    std::fill_n(total, rows, A(0));
    const int64_t block_end = (doc.last(s, i0 + rows - 1) + kKeys) / kKeys;
    for (int64_t block = doc.first(s, i0) / kKeys; block < block_end; ++block) {
      // The keys that any of the rows sees, and whole vectors of them.
      const int64_t j0 = block * kKeys, seen = std::min(kKeys, doc.last(s, i0 + rows - 1) - j0 + 1),
                    wide = (seen + 15) / 16 * 16;
      std::fill_n(p, rows * kKeys, A(0));
      add_product<Isa, A>(p, kKeys, qp, d, 1, kt + block * d * kKeys, kKeys, rows, wide, d);
      for (int64_t i = 0; i < rows; ++i) {
        A* pi = p + i * kKeys;
        const int64_t from = std::max<int64_t>(0, doc.first(s, i0 + i) - j0),
                      to = std::min(kKeys, doc.last(s, i0 + i) - j0 + 1);
        add_bias<Isa>(pi, bias_row(bias, b, h, i0 + i), j0, from, to, scale);
        for (int64_t j = 0; j < wide; j += 16)
          for (int64_t l = j; l < j + 16; ++l) pi[l] = l >= from && l < to ? pi[l] * scale : low;
        const A top = largest(pi, wide, most[i]);
        if (top == low) {  // nothing seen yet
          std::fill_n(pi, wide, A(0));
          continue;
        }
        const A shrink = most[i] == low ? A(0) : math::exp(most[i] - top);
        A lanes[16] = {};
        for (int64_t j = 0; j < wide; j += 16)
          for (int64_t l = 0; l < 16; ++l) {
            const A e = math::exp(pi[j + l] - top);
            pi[j + l] = e;
            lanes[l] += e;
          }
        A sum = 0;
        for (const A lane : lanes) sum += lane;
        total[i] = total[i] * shrink + sum;
        most[i] = top;
        if (s.dropout > 0) {
          A factor[kKeys];
          dropout_factors<Isa>(factor, j0, (doc.q0 + i0 + i) * s.heads + h, s);
          for (int64_t j = 0; j < wide; ++j) pi[j] *= factor[j];
        }
        if (shrink != A(1))
          for (int64_t j = 0; j < dp; ++j) o[i * dp + j] *= shrink;
      }
      add_product<Isa, A>(o, dp, p, kKeys, 1, vp + j0 * dp, dp, rows, dp, seen);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const A inverse = total[i] > A(0) ? A(1) / total[i] : total[i] == A(0) ? A(0) : total[i];
      T* to = out + (doc.q0 + i0 + i) * q_stride + h * d;
      for (int64_t j = 0; j < d; ++j) to[j] = T(o[i * dp + j] * inverse);
      lse[(doc.q0 + i0 + i) * s.heads + h] = total[i] == A(0) ? low : most[i] + std::log(total[i]);
    }
  }
}

template <class Isa, class T>
void backward_task(T* dq, T* dk, T* dv, const T* dout, const T* out, const acc_t<T>* lse,
                   const T* q, const T* k, const T* v, const AttentionShape& s,
                   const AttentionBias<acc_t<T>>& bias, int64_t b, int64_t hk) {
  using A = acc_t<T>;
  const Document doc(s, b);
  const int64_t d = s.head_dim, dp = padded<Isa>(d), group = s.heads / s.kv_heads;
  const int64_t q_stride = s.heads * d, k_stride = s.kv_heads * d,
                blocks = (doc.k_rows + kKeys - 1) / kKeys;
  const int64_t panel = blocks * kKeys * dp;
  Panel<Isa, A> kt_panel(blocks * d * kKeys), vt_panel(blocks * d * kKeys), k_panel(panel),
      dk_panel(panel), dv_panel(panel), work(kQueries * (3 * dp + 2 * kKeys + 1));
  const T *k_doc = k + doc.k0 * k_stride + hk * d, *v_doc = v + doc.k0 * k_stride + hk * d;
  copy_transposed<Isa>(kt_panel.get(), k_doc, k_stride, doc.k_rows, d);
  copy_transposed<Isa>(vt_panel.get(), v_doc, k_stride, doc.k_rows, d);
  copy_rows<Isa>(k_panel.get(), dp, k_doc, k_stride, doc.k_rows, d);
  A *qp = work.get(), *gp = qp + kQueries * dp, *dqp = gp + kQueries * dp, *p = dqp + kQueries * dp,
    *ds = p + kQueries * kKeys, *delta = ds + kQueries * kKeys;
  const A scale = static_cast<A>(s.scale);

  for (int64_t h = hk * group; h < (hk + 1) * group; ++h)
    for (int64_t i0 = 0; i0 < doc.q_rows; i0 += kQueries) {
      const int64_t rows = std::min(kQueries, doc.q_rows - i0),
                    at = (doc.q0 + i0) * q_stride + h * d;
      copy_rows<Isa>(qp, dp, q + at, q_stride, rows, d);
      copy_rows<Isa>(gp, dp, dout + at, q_stride, rows, d);
      std::fill_n(dqp, rows * dp, A(0));
      for (int64_t i = 0; i < rows; ++i) {
        A sum = 0;
        for (int64_t j = 0; j < d; ++j)
          sum += gp[i * dp + j] * static_cast<A>(out[at + i * q_stride + j]);
        delta[i] = sum;
      }
      const int64_t block_end = (doc.last(s, i0 + rows - 1) + kKeys) / kKeys;
      for (int64_t block = doc.first(s, i0) / kKeys; block < block_end; ++block) {
        const int64_t j0 = block * kKeys,
                      seen = std::min(kKeys, doc.last(s, i0 + rows - 1) - j0 + 1),
                      wide = (seen + 15) / 16 * 16;
        std::fill_n(p, rows * kKeys, A(0));
        std::fill_n(ds, rows * kKeys, A(0));
        add_product<Isa, A>(p, kKeys, qp, dp, 1, kt_panel.get() + block * d * kKeys, kKeys, rows,
                            wide, d);
        add_product<Isa, A>(ds, kKeys, gp, dp, 1, vt_panel.get() + block * d * kKeys, kKeys, rows,
                            wide, d);
        for (int64_t i = 0; i < rows; ++i) {
          A *pi = p + i * kKeys, *di = ds + i * kKeys;
          const int64_t from = std::max<int64_t>(0, doc.first(s, i0 + i) - j0),
                        to = std::min(kKeys, doc.last(s, i0 + i) - j0 + 1);
          const A norm = lse[(doc.q0 + i0 + i) * s.heads + h];
          add_bias<Isa>(pi, bias_row(bias, b, h, i0 + i), j0, from, to, scale);
          for (int64_t j = 0; j < wide; j += 16)
            for (int64_t l = j; l < j + 16; ++l) {
              const A e = math::exp(pi[l] * scale - norm);
              pi[l] = l >= from && l < to ? e : A(0);
            }
          if (s.dropout > 0) {
            // The mask (0 or 1 / (1 - p)) acts on the probabilities that met v, and on their
            // gradient.
            A mask[kKeys];
            dropout_factors<Isa>(mask, j0, (doc.q0 + i0 + i) * s.heads + h, s);
            for (int64_t j = 0; j < wide; ++j) {
              di[j] = pi[j] * (di[j] * mask[j] - delta[i]) * scale;
              pi[j] *= mask[j];
            }
          } else {
            for (int64_t j = 0; j < wide; ++j) di[j] = pi[j] * (di[j] - delta[i]) * scale;
          }
          if (bias.gradient) {
            A* sums = bias.gradient + (b * s.heads + h) * bias.count + bias.origin[b] - i0 - i + j0;
            const A inverse = A(1) / scale;
            for (int64_t j = from; j < to; ++j) sums[j] += di[j] * inverse;
          }
        }
        add_product<Isa, A>(dqp, dp, ds, kKeys, 1, k_panel.get() + j0 * dp, dp, rows, dp, seen);
        add_product<Isa, A>(dk_panel.get() + j0 * dp, dp, ds, 1, kKeys, qp, dp, seen, dp, rows);
        add_product<Isa, A>(dv_panel.get() + j0 * dp, dp, p, 1, kKeys, gp, dp, seen, dp, rows);
      }
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < d; ++j) dq[at + i * q_stride + j] = T(dqp[i * dp + j]);
    }
  for (int64_t i = 0; i < doc.k_rows; ++i)
    for (int64_t j = 0; j < d; ++j) {
      dk[(doc.k0 + i) * k_stride + hk * d + j] = T(dk_panel.get()[i * dp + j]);
      dv[(doc.k0 + i) * k_stride + hk * d + j] = T(dv_panel.get()[i * dp + j]);
    }
}

}  // namespace

template <class Isa, class T>
void attention_forward(Isa, T* out, acc_t<T>* lse, const T* q, const T* k, const T* v,
                       const AttentionShape& s, const AttentionBias<acc_t<T>>& bias) {
  const int64_t tasks = s.documents * s.heads;
#pragma omp parallel for schedule(dynamic, 1) if (tasks > 1)
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t b = t / s.heads, h = t % s.heads;
    if (is_decoding(s, b))
      few_queries_task<Isa>(out, lse, q, k, v, s, bias, b, h);
    else
      forward_task<Isa>(out, lse, q, k, v, s, bias, b, h);
  }
}

template <class Isa, class T>
void attention_backward(Isa, T* dq, T* dk, T* dv, const T* dout, const T* out, const acc_t<T>* lse,
                        const T* q, const T* k, const T* v, const AttentionShape& s,
                        const AttentionBias<acc_t<T>>& bias) {
  const int64_t tasks = s.documents * s.kv_heads;
#pragma omp parallel for schedule(dynamic, 1) if (tasks > 1)
  for (int64_t t = 0; t < tasks; ++t)
    backward_task<Isa>(dq, dk, dv, dout, out, lse, q, k, v, s, bias, t / s.kv_heads,
                       t % s.kv_heads);
}

#define LK_ATTENTION(T)                                                                     \
  template void attention_forward(LK_ISA, T*, acc_t<T>*, const T*, const T*, const T*,      \
                                  const AttentionShape&, const AttentionBias<acc_t<T>>&);   \
  template void attention_backward(LK_ISA, T*, T*, T*, const T*, const T*, const acc_t<T>*, \
                                   const T*, const T*, const T*, const AttentionShape&,     \
                                   const AttentionBias<acc_t<T>>&);
LK_ATTENTION(float)
LK_ATTENTION(bf16)
LK_ATTENTION(double)

}  // namespace lk
