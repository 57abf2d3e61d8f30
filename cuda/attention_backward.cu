// The gradients of FlashAttention (Dao et al. 2022, Algorithm 4) with no atomics: one kernel walks
// over the queries that meet 64 keys and sums dk and dv, another over the keys that 64 queries see
// and sums dq. P and dS are computed in both; sums run in a fixed order. The gradient of a bias by
// distance is the sum of dS along its diagonals, which the second kernel takes tile by tile.
#include "cuda/attention_tiles.h"
#include "cuda/attention_work.h"
#include "engine/device.h"

namespace lk {
namespace {

constexpr float kLog2e = 1.4426950408889634f;

// delta[row] = sum over head_dim of dout * out, a warp for each (query, head).
template <class T>
__global__ void __launch_bounds__(kEachThreads)
    attention_delta_kernel(float* delta, const T* dout, const T* out, int64_t rows, int64_t d) {
  constexpr int N = kPackSize<T>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (kEachThreads / kWarp);
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x) / kWarp;
       i < rows; i += stride) {
    float sum = 0;
    for (int64_t j = lane * N; j < d; j += kWarp * N) {
      const Elements<T, N> a = load<N>(dout + i * d + j), b = load<N>(out + i * d + j);
#pragma unroll
      for (int k = 0; k < N; ++k) sum += static_cast<float>(a.at[k]) * static_cast<float>(b.at[k]);
    }
    sum = warp_reduce(sum, Sum{});
    if (lane == 0) delta[i] = sum;
  }
}

// From a score (scaled, with its bias) and dp = dout v^T of one query and one key: the probability
// that met v, and dS.
struct ScoreGradient {
  float p, ds;
};
__device__ __forceinline__ ScoreGradient score_gradient(bool sees, float score, float dp, float lse,
                                                        float delta, float factor) {
  const float p = sees ? fast_exp2((score - lse) * kLog2e) : 0.0f;
  return {p * factor, sees ? p * (dp * factor - delta) : 0.0f};
}

// sums[j - i] += ds[i][j] for the block's tile [64, 64], as product_transposed left it. `staged`:
// shared, kDiagonalFloats. Only 0 <= begin + j - i < count are there; what lies outside was not
// seen. All threads call; what follows may not write `staged` before a barrier.
constexpr int kDiagonalPitch = kTileRows + 1, kDiagonalFloats = kTileRows * kDiagonalPitch;
__device__ __forceinline__ void add_diagonals(float* sums, int64_t begin, int64_t count,
                                              const float (&ds)[8][4], float* staged) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            row = static_cast<int>(threadIdx.x) / kWarp * 16 + lane / 4;
#pragma unroll
  for (int n = 0; n < 8; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e)
      staged[(row + e / 2 * 8) * kDiagonalPitch + 8 * n + lane % 4 * 2 + e % 2] = ds[n][e];
  __syncthreads();
  const int distance = static_cast<int>(threadIdx.x) - (kTileRows - 1);
  const int64_t at = begin + distance;
  if (distance >= kTileRows || at < 0 || at >= count) return;
  float sum = 0;
  for (int i = 0; i < kTileRows; ++i)
    if (i + distance >= 0 && i + distance < kTileRows)
      sum += staged[i * kDiagonalPitch + i + distance];
  sums[at] += sum;
}

// gradient[b, h, c]: the sums of the document's tiles, one after the other. partial: [tiles, heads,
// count].
__global__ void __launch_bounds__(kEachThreads)
    attention_bias_sum_kernel(float* gradient, const float* partial, const AttentionTile* tiles,
                              int64_t tile_count, int64_t documents, int64_t width) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
       at < documents * width; at += stride) {
    float sum = 0;
    for (int64_t t = 0; t < tile_count; ++t)
      if (tiles[t].document == at / width) sum += partial[t * width + at % width];
    gradient[at] = sum;
  }
}

template <class T, int D>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_backward_q_kernel(T* dq, const T* dout, const float* lse, const float* delta,
                                const T* q, const T* k, const T* v, const AttentionTile* tiles,
                                AttentionConstants s, DistanceBias bias, float* bias_sums) {
  bf16* qs = dynamic_shared<bf16>();
  bf16 *gs = qs + kTileSize<T, D>, *ks = gs + kTileSize<T, D>, *vs = ks + kTileSize<T, D>;
  float* staged = reinterpret_cast<float*>(vs + kTileSize<T, D>);  // where bias_sums are wanted
  const AttentionTile t = tiles[blockIdx.x];
  const int h = static_cast<int>(blockIdx.y), hk = h / (s.heads / s.kv_heads), d = s.head_dim;
  const int64_t q_stride = int64_t{s.heads} * d, k_stride = int64_t{s.kv_heads} * d;
  const int64_t q_at = (int64_t{t.q0} + t.first) * q_stride + h * d;
  const T *k_doc = k + t.k0 * k_stride + hk * d, *v_doc = v + t.k0 * k_stride + hk * d;
  const int rows = t.q_rows - t.first < kTileRows ? t.q_rows - t.first : kTileRows;
  int begin = 0, end = 0;
  key_range(t, s, rows, begin, end);
  load_tile<D>(qs, q + q_at, q_stride, rows, d);
  load_tile<D>(gs, dout + q_at, q_stride, rows, d);

  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int i0 = t.first + static_cast<int>(threadIdx.x) / kWarp * 16 + lane / 4;  // and i0 + 8
  float norm[2] = {}, row_delta[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half)
    if (i0 + 8 * half < t.q_rows) {
      const int64_t at = (int64_t{t.q0} + i0 + 8 * half) * s.heads + h;
      norm[half] = lse[at];
      row_delta[half] = delta[at];
    }
  float sum[D / 8][4] = {};
  for (int j0 = begin; j0 < end; j0 += kTileRows) {
    load_tile<D>(ks, k_doc + j0 * k_stride, k_stride, t.k_rows - j0, d);
    load_tile<D>(vs, v_doc + j0 * k_stride, k_stride, t.k_rows - j0, d);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    float p[8][4], ds[8][4];
    product_transposed<T, D>(p, qs, ks);
    product_transposed<T, D>(ds, gs, vs);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = i0 + 8 * half;
      const float* by_key = bias.values ? bias.of_query(t, h, i) : nullptr;
#pragma unroll
      for (int n = 0; n < 8; ++n) {
        const int j = j0 + 8 * n + lane % 4 * 2;
        float factor[2] = {1.0f, 1.0f};
        if (s.dropout > 0) s.dropout_pair(t.q0 + i, h, j, factor);
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const bool sees = s.sees(t, i, j + e);
          const float score =
              p[n][2 * half + e] * s.scale + (by_key && sees ? by_key[j + e] : 0.0f);
          ds[n][2 * half + e] = score_gradient(sees, score, ds[n][2 * half + e], norm[half],
                                               row_delta[half], factor[e])
                                    .ds;
        }
      }
    }
    add_product<T, D>(sum, ds, ks);
    if (bias_sums)
      add_diagonals(bias_sums + (int64_t{blockIdx.x} * s.heads + h) * bias.count,
                    t.origin + j0 - t.first, bias.count, ds, staged);
    __syncthreads();
  }
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) sum[n][e] *= s.scale;
  copy_wait<0>();
  __syncthreads();
  store_tile<T, D>(dq + q_at, q_stride, rows, d, sum, qs);
}

// The tile's rows are keys; scores stand transposed, a row for each key.
template <class T, int D>
__global__ void __launch_bounds__(kAttentionThreads)
    attention_backward_kv_kernel(T* dk, T* dv, const T* dout, const float* lse, const float* delta,
                                 const T* q, const T* k, const T* v, const AttentionTile* tiles,
                                 AttentionConstants s, DistanceBias bias) {
  bf16* ks = dynamic_shared<bf16>();
  bf16 *vs = ks + kTileSize<T, D>, *qs = vs + kTileSize<T, D>, *gs = qs + kTileSize<T, D>;
  const AttentionTile t = tiles[blockIdx.x];
  const int hk = static_cast<int>(blockIdx.y), group = s.heads / s.kv_heads, d = s.head_dim;
  const int64_t q_stride = int64_t{s.heads} * d, k_stride = int64_t{s.kv_heads} * d;
  const int64_t k_at = (int64_t{t.k0} + t.first) * k_stride + hk * d;
  const int rows = t.k_rows - t.first < kTileRows ? t.k_rows - t.first : kTileRows;
  load_tile<D>(ks, k + k_at, k_stride, rows, d);
  load_tile<D>(vs, v + k_at, k_stride, rows, d);

  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int j0 = t.first + static_cast<int>(threadIdx.x) / kWarp * 16 + lane / 4;  // and j0 + 8
  int begin = 0, end = 0;
  query_range(t, s, rows, begin, end);
  float dk_sum[D / 8][4] = {}, dv_sum[D / 8][4] = {};
  for (int h = hk * group; h < (hk + 1) * group; ++h)
    for (int i0 = begin; i0 < end; i0 += kTileRows) {
      const int64_t q_at = (int64_t{t.q0} + i0) * q_stride + h * d;
      load_tile<D>(qs, q + q_at, q_stride, t.q_rows - i0, d);
      load_tile<D>(gs, dout + q_at, q_stride, t.q_rows - i0, d);
      copy_commit();
      copy_wait<0>();
      __syncthreads();
      float p[8][4], ds[8][4];
      product_transposed<T, D>(p, ks, qs);
      product_transposed<T, D>(ds, vs, gs);
#pragma unroll
      for (int n = 0; n < 8; ++n)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int i = i0 + 8 * n + lane % 4 * 2 + e;
          const bool there = i < t.q_rows;
          const int64_t at = (int64_t{t.q0} + i) * s.heads + h;
          const float norm = there ? lse[at] : 0.0f, row_delta = there ? delta[at] : 0.0f;
          const float* by_key = bias.values ? bias.of_query(t, h, i) : nullptr;
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int j = j0 + 8 * half;
            float factor[2] = {1.0f, 1.0f};
            if (s.dropout > 0) s.dropout_pair(t.q0 + i, h, j / 2 * 2, factor);
            const bool sees = s.sees(t, i, j);
            const float score = p[n][2 * half + e] * s.scale + (by_key && sees ? by_key[j] : 0.0f);
            const ScoreGradient g = score_gradient(sees, score, ds[n][2 * half + e], norm,
                                                   row_delta, j % 2 == 0 ? factor[0] : factor[1]);
            p[n][2 * half + e] = g.p;
            ds[n][2 * half + e] = g.ds;
          }
        }
      add_product<T, D>(dv_sum, p, gs);
      add_product<T, D>(dk_sum, ds, qs);
      __syncthreads();
    }
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) dk_sum[n][e] *= s.scale;
  copy_wait<0>();
  __syncthreads();
  store_tile<T, D>(dk + k_at, k_stride, rows, d, dk_sum, ks);
  store_tile<T, D>(dv + k_at, k_stride, rows, d, dv_sum, vs);
}

template <class T>
unsigned delta_blocks(int64_t rows) {
  constexpr int64_t kRows = kEachThreads / kWarp;
  return grid_for((rows + kRows - 1) / kRows);
}

}  // namespace

template <class Isa, class T>
void attention_backward(Isa cuda, T* dq, T* dk, T* dv, const T* dout, const T* out,
                        const acc_t<T>* lse, const T* q, const T* k, const T* v,
                        const AttentionShape& shape, const AttentionBias<acc_t<T>>& bias) {
  check_attention(shape);
  const int64_t rows = shape.q_offsets[shape.documents] * shape.heads;
  const AttentionConstants s = attention_constants(shape);
  const AttentionWork queries(cuda, shape, shape.q_offsets, bias.origin),
      keys(cuda, shape, shape.k_offsets, bias.origin);
  const Workspace<float> delta(cuda, rows + 1);
  const DistanceBias by_distance{bias.values, bias.count};
  const int64_t width = bias.gradient ? shape.heads * bias.count : 0;  // of a tile's sums
  const Workspace<float> bias_sums(cuda, queries.count() * width + 1);
  if (width > 0)
    clear(cuda, bias_sums.data(), static_cast<size_t>(queries.count() * width) * sizeof(float));
  if (rows > 0)
    launch(attention_delta_kernel<T>, delta_blocks<T>(rows), kEachThreads, 0, cuda.stream,
           delta.data(), dout, out, rows, shape.head_dim);
  with_head_dim(shape.head_dim, [&]<int D>() {
    constexpr size_t kShared = 4 * kTileSize<T, D> * sizeof(bf16);
    if constexpr (kShared > kMostShared) {
      fail("the gradient of attention on CUDA takes head_dim up to 128 in f32, not {}; use bf16",
           shape.head_dim);
    } else {
      constexpr size_t kStaged = kDiagonalFloats * sizeof(float);
      static_assert(kShared + kStaged <= kMostShared);
      const size_t with_sums = kShared + (width > 0 ? kStaged : 0);
      const auto of_q = attention_backward_q_kernel<T, D>;
      const auto of_kv = attention_backward_kv_kernel<T, D>;
      allow_shared_memory(of_q, with_sums);
      allow_shared_memory(of_kv, kShared);
      if (queries.count() > 0)
        launch(of_q, dim3(queries.count(), static_cast<unsigned>(shape.heads)), kAttentionThreads,
               with_sums, cuda.stream, dq, dout, lse, static_cast<const float*>(delta.data()), q, k,
               v, queries.tiles(), s, by_distance, width > 0 ? bias_sums.data() : nullptr);
      if (keys.count() > 0)
        launch(of_kv, dim3(keys.count(), static_cast<unsigned>(shape.kv_heads)), kAttentionThreads,
               kShared, cuda.stream, dk, dv, dout, lse, static_cast<const float*>(delta.data()), q,
               k, v, keys.tiles(), s, by_distance);
    }
  });
  if (width > 0 && shape.documents > 0)
    launch(attention_bias_sum_kernel, grid_for_threads(shape.documents * width), kEachThreads, 0,
           cuda.stream, bias.gradient, static_cast<const float*>(bias_sums.data()), queries.tiles(),
           static_cast<int64_t>(queries.count()), shape.documents, width);
}

template void attention_backward(Cuda, float*, float*, float*, const float*, const float*,
                                 const float*, const float*, const float*, const float*,
                                 const AttentionShape&, const AttentionBias<float>&);
template void attention_backward(Cuda, bf16*, bf16*, bf16*, const bf16*, const bf16*, const float*,
                                 const bf16*, const bf16*, const bf16*, const AttentionShape&,
                                 const AttentionBias<float>&);

}  // namespace lk
