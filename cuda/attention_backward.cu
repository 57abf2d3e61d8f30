// The gradients of FlashAttention (Dao et al. 2022, Algorithm 4) with no atomics: one kernel walks
// over the queries that meet 64 keys and sums dk and dv, another over the keys that 64 queries see
// and sums dq. P and dS are computed in both; sums run in a fixed order. The gradient of a bias by
// distance is the sum of dS along its diagonals, which the second kernel takes tile by tile.
#include <algorithm>
#include <bit>

#include "cuda/attention_tiles.h"
#include "cuda/attention_work.h"
#include "engine/device.h"

namespace lk {
namespace {

constexpr float kLog2e = 1.4426950408889634f;

// delta[row] = sum over head_dim of dout * out, `lanes` of a warp, a power of two, for each (query,
// head).
template <class T>
__global__ void __launch_bounds__(kEachThreads)
    attention_delta_kernel(float* delta, const T* dout, const T* out, int64_t rows, int64_t d,
                           int lanes) {
  constexpr int N = kPackSize<T>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, of_row = lane % lanes,
            rows_of_warp = kWarp / lanes;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (kEachThreads / kWarp) * rows_of_warp;
  for (int64_t first =
           (static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x) / kWarp * rows_of_warp;
       first < rows; first += stride) {
    const int64_t i = first + lane / lanes;
    float sum = 0;
    if (i < rows)
      for (int64_t j = of_row * N; j < d; j += lanes * N) {
        const Elements<T, N> a = load<N>(dout + i * d + j), b = load<N>(out + i * d + j);
#pragma unroll
        for (int k = 0; k < N; ++k)
          sum += static_cast<float>(a.at[k]) * static_cast<float>(b.at[k]);
      }
    for (int offset = lanes / 2; offset > 0; offset /= 2) sum += from_lane_xor(sum, offset);
    if (i < rows && of_row == 0) delta[i] = sum;
  }
}

// From a score and dp = dout v^T of one query and one key: the probability that met v, and dS.
// lse: in units of ln 2.
struct ScoreGradient {
  float p, ds;
};
__device__ __forceinline__ ScoreGradient score_gradient(bool sees, float score, float dp, float lse,
                                                        float delta, float factor) {
  const float p = sees ? fast_exp2(score * kLog2e - lse) : 0.0f;
  return {p * factor, sees ? p * (dp * factor - delta) : 0.0f};
}

// sums[j - i] += ds[i][j] for the block's tile [64, 64], of which the warp has 16 rows from `row`
// and 8 N columns from `column`, as product_transposed left them. `staged`: shared,
// kDiagonalFloats. Only 0 <= begin + j - i < count are there; what lies outside was not seen. All
// threads call; what follows may not write `staged` before a barrier.
// The pitch puts the pairs of four rows, which one access writes, in different banks.
constexpr int kDiagonalPitch = kTileRows + 8, kDiagonalFloats = kTileRows * kDiagonalPitch;
template <int N>
__device__ __forceinline__ void add_diagonals(float* sums, int64_t begin, int64_t count,
                                              const float (&ds)[N][4], int row, int column,
                                              float* staged) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float* at = staged + (row + lane / 4) * kDiagonalPitch + column + lane % 4 * 2;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      store<2>(at + half * 8 * kDiagonalPitch + 8 * n,
               Elements<float, 2>{ds[n][2 * half], ds[n][2 * half + 1]});
  __syncthreads();
  const int distance = static_cast<int>(threadIdx.x) - (kTileRows - 1);
  const int64_t to = begin + distance;
  if (distance >= kTileRows || to < 0 || to >= count) return;
  float sum = 0;
  for (int i = 0; i < kTileRows; ++i) {
    // All lanes read in step: those beside the tile what their neighbour reads.
    const int j = i + distance, inside = j < 0 ? 0 : j < kTileRows ? j : kTileRows - 1;
    const float value = staged[i * kDiagonalPitch + inside];
    sum += j == inside ? value : 0.0f;
  }
  sums[to] += sum;
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

// Where a row of sums does not fit a warp's registers, two warps share 16 rows: each makes half of
// their scores, which they exchange through shared memory, and sums half of the columns.
template <int D>
inline constexpr int kShareOfQ = D > 128 ? 2 : 1;
template <class T, int D>
inline constexpr int kShareOfKv = kParts<T>* D > 128 ? 2 : 1;
// Blocks of a multiprocessor, as many as have room for their tiles: else a few registers would be
// spilled for more.
template <class T, int D>
inline constexpr int kBlocksOfQ = kParts<T>* D > 128         ? 1
                                  : D > 64 || kParts<T> == 2 ? 2
                                                             : 3;
template <class T, int D>
inline constexpr int kBlocksOfKv = kParts<T>* D > 128  ? 1
                                   : kParts<T>* D > 32 ? 2
                                                       : 3;

template <class T, int D>
__global__ void __launch_bounds__(kShareOfQ<D>* kAttentionThreads, kBlocksOfQ<T, D>)
    attention_backward_q_kernel(T* dq, const T* dout, const float* lse, const float* delta,
                                const T* q, const T* k, const T* v, const AttentionTile* tiles,
                                AttentionConstants s, DistanceBias bias, float* bias_sums) {
  constexpr int kShare = kShareOfQ<D>, kThreads = kShare * kAttentionThreads,
                kKeys = kTileRows / kShare;
  bf16* qs = dynamic_shared<bf16>();
  bf16 *gs = qs + kTileSize<T, D>, *ks = gs + kTileSize<T, D>, *vs = ks + kTileSize<T, D>;
  bf16* scores = vs + kTileSize<T, D>;  // where warps share rows
  float* staged = reinterpret_cast<float*>(scores + (kShare - 1) * kScoresSize<T>);  // of bias_sums
  const AttentionTile t = tiles[blockIdx.x];
  const int h = static_cast<int>(blockIdx.y), hk = h / (s.heads / s.kv_heads), d = s.head_dim;
  const int64_t q_stride = int64_t{s.heads} * d, k_stride = int64_t{s.kv_heads} * d;
  const int64_t q_at = (int64_t{t.q0} + t.first) * q_stride + h * d;
  const T *k_doc = k + t.k0 * k_stride + hk * d, *v_doc = v + t.k0 * k_stride + hk * d;
  const int rows = t.q_rows - t.first < kTileRows ? t.q_rows - t.first : kTileRows;
  int begin = 0, end = 0;
  key_range(t, s, rows, begin, end);
  load_tile<D, kThreads>(qs, q + q_at, q_stride, rows, d);
  load_tile<D, kThreads>(gs, dout + q_at, q_stride, rows, d);

  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp, row = warp % 4 * 16, part = warp / 4;
  const int i0 = t.first + row + lane / 4;  // and i0 + 8
  const Met keys[2] = {keys_of(t, s, i0), keys_of(t, s, i0 + 8)};
  const float* by_distance = bias.values ? bias.of_head(t, h) : nullptr;
  float norm[2] = {}, row_delta[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half)
    if (i0 + 8 * half < t.q_rows) {
      const int64_t at = (int64_t{t.q0} + i0 + 8 * half) * s.heads + h;
      norm[half] = lse[at] * kLog2e;
      row_delta[half] = delta[at];
    }
  float sum[D / 8 / kShare][4] = {};
  for (int j0 = begin; j0 < end; j0 += kTileRows) {
    load_tile<D, kThreads>(ks, k_doc + j0 * k_stride, k_stride, t.k_rows - j0, d);
    load_tile<D, kThreads>(vs, v_doc + j0 * k_stride, k_stride, t.k_rows - j0, d);
    copy_commit();
    const int mine = part * kKeys;
    const uint32_t kept =
        s.dropout > 0 ? s.kept_keys<kKeys / 8>(int64_t{t.q0} + i0, h, j0 + mine) : ~0u;
    copy_wait<0>();
    __syncthreads();
    float p[kKeys / 8][4], ds[kKeys / 8][4];
    product_transposed<T, D>(p, qs + row * kPitch<D>, ks + mine * kPitch<D>);
    product_transposed<T, D>(ds, gs + row * kPitch<D>, vs + mine * kPitch<D>);
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) p[n][e] *= s.scale;
    if (by_distance)
#pragma unroll
      for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int i = i0 + e / 2 * 8, j = j0 + mine + 8 * n + lane % 4 * 2 + e % 2;
          if (keys[e / 2](j)) p[n][e] += by_distance[j - i];
        }
#pragma unroll
    for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const bool seen = keys[e / 2](j0 + mine + 8 * n + lane % 4 * 2 + e % 2);
        const float factor = kept >> (4 * n + e) & 1 ? s.keep : 0.0f;
        ds[n][e] =
            score_gradient(seen, p[n][e], ds[n][e], norm[e / 2], row_delta[e / 2], factor).ds;
      }
    if constexpr (kShare == 1) {
      add_product<T, D>(sum, ds, ks);
    } else {
      share_scores<T>(scores + row * kPitch<kTileRows> + mine, ds);
      __syncthreads();
      add_shared_product<T, D>(sum, scores + row * kPitch<kTileRows>, ks + part * (D / 2));
    }
    if (bias_sums)
      add_diagonals(bias_sums + (int64_t{blockIdx.x} * s.heads + h) * bias.count,
                    t.origin + j0 - t.first, bias.count, ds, row, mine, staged);
    __syncthreads();
  }
#pragma unroll
  for (int n = 0; n < D / 8 / kShare; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) sum[n][e] *= s.scale;
  copy_wait<0>();
  __syncthreads();
  const int column = part * (D / 2);
  store_rows<T, D>(dq + q_at + row * q_stride + column, q_stride, rows - row, d - column, sum,
                   reinterpret_cast<T*>(qs) + row * kPitch<D> + column);
}

// The tile's rows are keys; scores stand transposed, a row for each key.
template <class T, int D>
__global__ void __launch_bounds__(kShareOfKv<T, D>* kAttentionThreads, kBlocksOfKv<T, D>)
    attention_backward_kv_kernel(T* dk, T* dv, const T* dout, const float* lse, const float* delta,
                                 const T* q, const T* k, const T* v, const AttentionTile* tiles,
                                 AttentionConstants s, DistanceBias bias) {
  constexpr int kShare = kShareOfKv<T, D>, kThreads = kShare * kAttentionThreads,
                kQueries = kTileRows / kShare;
  alignas(8) __shared__ float terms[kTileRows][2];  // lse and delta of the step's queries
  bf16* ks = dynamic_shared<bf16>();
  bf16 *vs = ks + kTileSize<T, D>, *qs = vs + kTileSize<T, D>, *gs = qs + kTileSize<T, D>;
  bf16* scores = gs + kTileSize<T, D>;  // where warps share rows
  const AttentionTile t = tiles[blockIdx.x];
  const int hk = static_cast<int>(blockIdx.y), group = s.heads / s.kv_heads, d = s.head_dim;
  const int64_t q_stride = int64_t{s.heads} * d, k_stride = int64_t{s.kv_heads} * d;
  const int64_t k_at = (int64_t{t.k0} + t.first) * k_stride + hk * d;
  const int rows = t.k_rows - t.first < kTileRows ? t.k_rows - t.first : kTileRows;
  load_tile<D, kThreads>(ks, k + k_at, k_stride, rows, d);
  load_tile<D, kThreads>(vs, v + k_at, k_stride, rows, d);

  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp, row = warp % 4 * 16, part = warp / 4;
  const int j0 = t.first + row + lane / 4;  // and j0 + 8
  const int mine = part * kQueries, column = part * (D / 2);
  int begin = 0, end = 0;
  query_range(t, s, rows, begin, end);
  const Met queries[2] = {queries_of(t, s, j0), queries_of(t, s, j0 + 8)};
  float dk_sum[D / 8 / kShare][4] = {}, dv_sum[D / 8 / kShare][4] = {};
  for (int h = hk * group; h < (hk + 1) * group; ++h)
    for (int i0 = begin; i0 < end; i0 += kTileRows) {
      const int64_t q_at = (int64_t{t.q0} + i0) * q_stride + h * d;
      load_tile<D, kThreads>(qs, q + q_at, q_stride, t.q_rows - i0, d);
      load_tile<D, kThreads>(gs, dout + q_at, q_stride, t.q_rows - i0, d);
      copy_commit();
      if (const int r = static_cast<int>(threadIdx.x); r < kTileRows) {
        const int64_t at = (int64_t{t.q0} + i0 + r) * s.heads + h;
        Elements<float, 2> both{};
        if (i0 + r < t.q_rows) both = {lse[at] * kLog2e, delta[at]};
        store<2>(terms[r], both);
      }
      const float* by_distance = bias.values ? bias.of_head(t, h) : nullptr;
      copy_wait<0>();
      __syncthreads();
      const uint32_t kept =
          s.dropout > 0 ? s.kept_queries<kQueries / 8>(int64_t{t.q0} + i0 + mine, h, j0) : ~0u;
      float p[kQueries / 8][4], ds[kQueries / 8][4];
      product_transposed<T, D>(p, ks + row * kPitch<D>, qs + mine * kPitch<D>);
      product_transposed<T, D>(ds, vs + row * kPitch<D>, gs + mine * kPitch<D>);
#pragma unroll
      for (int n = 0; n < kQueries / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) p[n][e] *= s.scale;
      if (by_distance)
#pragma unroll
        for (int n = 0; n < kQueries / 8; ++n)
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int i = i0 + mine + 8 * n + lane % 4 * 2 + e % 2, j = j0 + e / 2 * 8;
            if (queries[e / 2](i)) p[n][e] += by_distance[j - i];
          }
#pragma unroll
      for (int n = 0; n < kQueries / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int r = mine + 8 * n + lane % 4 * 2 + e % 2;
          const float factor = kept >> (4 * n + e) & 1 ? s.keep : 0.0f;
          const Elements<float, 2> of_query = load<2>(terms[r]);
          const ScoreGradient g = score_gradient(queries[e / 2](i0 + r), p[n][e], ds[n][e],
                                                 of_query.at[0], of_query.at[1], factor);
          p[n][e] = g.p;
          ds[n][e] = g.ds;
        }
      if constexpr (kShare == 1) {
        add_product<T, D>(dv_sum, p, gs);
        add_product<T, D>(dk_sum, ds, qs);
      } else {
        bf16* rows_of_scores = scores + row * kPitch<kTileRows>;
        share_scores<T>(rows_of_scores + mine, p);
        __syncthreads();
        add_shared_product<T, D>(dv_sum, rows_of_scores, gs + column);
        __syncthreads();
        share_scores<T>(rows_of_scores + mine, ds);
        __syncthreads();
        add_shared_product<T, D>(dk_sum, rows_of_scores, qs + column);
      }
      __syncthreads();
    }
#pragma unroll
  for (int n = 0; n < D / 8 / kShare; ++n)
#pragma unroll
    for (int e = 0; e < 4; ++e) dk_sum[n][e] *= s.scale;
  copy_wait<0>();
  __syncthreads();
  // The tile is read again: what it says of the keys needed registers all the while.
  const AttentionTile& keys = tiles[blockIdx.x];
  const int left = keys.k_rows - keys.first - row, at = row * kPitch<D> + column;
  const int64_t to = (int64_t{keys.k0} + keys.first + row) * k_stride + hk * d + column;
  store_rows<T, D>(dk + to, k_stride, left, d - column, dk_sum, reinterpret_cast<T*>(ks) + at);
  store_rows<T, D>(dv + to, k_stride, left, d - column, dv_sum, reinterpret_cast<T*>(vs) + at);
}

template <class T>
void attention_delta(Cuda cuda, float* delta, const T* dout, const T* out, int64_t rows,
                     int64_t d) {
  const int64_t packs = (d + kPackSize<T> - 1) / kPackSize<T>;
  const int lanes =
      static_cast<int>(std::min<uint64_t>(kWarp, std::bit_ceil(static_cast<uint64_t>(packs))));
  if (rows > 0)
    launch(attention_delta_kernel<T>, grid_for_threads(rows * lanes), kEachThreads, 0, cuda.stream,
           delta, dout, out, rows, d, lanes);
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
  attention_delta(cuda, delta.data(), dout, out, rows, shape.head_dim);
  with_head_dim(shape.head_dim, [&]<int D>() {
    constexpr size_t kShared = 4 * kTileSize<T, D> * sizeof(bf16);
    if constexpr (kShared > kMostShared) {
      fail("the gradient of attention on CUDA takes head_dim up to 128 in f32, not {}; use bf16",
           shape.head_dim);
    } else {
      constexpr size_t kStaged = kDiagonalFloats * sizeof(float),
                       kScores = kScoresSize<T> * sizeof(bf16),
                       kOfQ = kShared + (kShareOfQ<D> - 1) * kScores,
                       kOfKv = kShared + (kShareOfKv<T, D> - 1) * kScores;
      static_assert(kOfQ + kStaged <= kMostShared && kOfKv <= kMostShared);
      const size_t of_q_shared = kOfQ + (width > 0 ? kStaged : 0);
      const auto of_q = attention_backward_q_kernel<T, D>;
      const auto of_kv = attention_backward_kv_kernel<T, D>;
      allow_shared_memory(of_q, of_q_shared);
      allow_shared_memory(of_kv, kOfKv);
      if (queries.count() > 0)
        launch(of_q, dim3(queries.count(), static_cast<unsigned>(shape.heads)),
               kShareOfQ<D> * kAttentionThreads, of_q_shared, cuda.stream, dq, dout, lse,
               static_cast<const float*>(delta.data()), q, k, v, queries.tiles(), s, by_distance,
               width > 0 ? bias_sums.data() : nullptr);
      if (keys.count() > 0)
        launch(of_kv, dim3(keys.count(), static_cast<unsigned>(shape.kv_heads)),
               kShareOfKv<T, D> * kAttentionThreads, kOfKv, cuda.stream, dk, dv, dout, lse,
               static_cast<const float*>(delta.data()), q, k, v, keys.tiles(), s, by_distance);
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
