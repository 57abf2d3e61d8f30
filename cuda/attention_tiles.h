// The two products that attention is made of, by a warp on tiles in shared memory, and what its
// three kernels share. A tile is 64 rows of D numbers: in bf16 as they are, in f32 as two bf16
// parts (value = high + low to 16 bits), whose products are high high + high low + low high: f32
// attention is good to about 1e-5.
#pragma once

#include "cuda/each.h"
#include "engine/kernels/attention.h"
#include "engine/rng.h"

namespace lk {

inline constexpr int kTileRows = 64, kAttentionThreads = 128;  // a warp has 16 rows
template <class T>
inline constexpr int kParts = sizeof(T) == 2 ? 1 : 2;
// 16 bytes more than a row: eight rows then begin in different banks.
template <int D>
inline constexpr int kPitch = D + 8;
template <class T, int D>
inline constexpr int kTileSize = kParts<T>* kTileRows* kPitch<D>;  // bf16 elements

// Rows of one document: 64 of one side, against all of the other side that they meet.
struct AttentionTile {
  int32_t q0, q_rows, k0, k_rows;
  int32_t first;  // the tile's first row, counted from q0 or k0
  int32_t document;
  int32_t origin;  // AttentionBias::origin of the document
};

// AttentionBias on the device, but for the origins.
struct DistanceBias {
  const float* values;  // [heads, count], or null
  int64_t count;
  // values of head h at [j - i] for the query i and the key j of the tile's document.
  __device__ __forceinline__ const float* of_head(const AttentionTile& t, int h) const {
    return values + h * count + t.origin;
  }
};

struct AttentionConstants {
  int32_t heads, kv_heads, head_dim;
  bool causal;
  int64_t window;
  float scale, dropout;
  uint64_t seed, stream;
  float keep;  // what a probability that is not dropped is multiplied with
  __device__ __forceinline__ bool keeps(uint32_t word) const { return to_uniform(word) >= dropout; }
  // The random words of a query's probabilities at the keys j / 4 * 4 and the next three.
  __device__ __forceinline__ Philox4 dropout_words(int64_t query_row, int head, int j) const {
    // Else the keys of all rounds are made ahead, and kept in 20 registers.
    return philox(
        made_here(seed), stream,
        static_cast<uint64_t>(query_row * heads + head) << 28 | static_cast<uint64_t>(j / 4));
  }
  // Which of the lane's elements of a product [16, 8 N] are not dropped: bit 4 n + e for c[n][e].
  // Its rows are queries, of which the lane has query_row and query_row + 8, its columns keys from
  // key on; or the other way round. Not unrolled: the products need the registers.
  template <int N>
  __device__ __forceinline__ uint32_t kept_keys(int64_t query_row, int head, int key) const {
    const int lane = static_cast<int>(threadIdx.x) % 4;
    uint32_t kept = 0;
#pragma unroll 1
    for (int at = 0; at < 4 * N; at += 2) {
      const Philox4 w =
          dropout_words(query_row + at % 4 * 4, head, key + at / 4 * 8 + lane / 2 * 4);
      kept |= static_cast<uint32_t>(keeps(lane % 2 ? w[2] : w[0])) << at |
              static_cast<uint32_t>(keeps(lane % 2 ? w[3] : w[1])) << (at + 1);
    }
    return kept;
  }
  template <int N>
  __device__ __forceinline__ uint32_t kept_queries(int64_t query_row, int head, int key) const {
    const int lane = static_cast<int>(threadIdx.x) % 4;
    uint32_t kept = 0;
#pragma unroll 1
    for (int at = 0; at < 4 * N; ++at) {
      const Philox4 w =
          dropout_words(query_row + at / 4 * 8 + lane * 2 + at % 2, head, key + at / 2 % 2 * 8);
      const uint32_t odd = key % 4 < 2 ? w[1] : w[3], even = key % 4 < 2 ? w[0] : w[2];
      kept |= static_cast<uint32_t>(keeps(key % 2 ? odd : even)) << at;
    }
    return kept;
  }
};

// Rows of one side that a row of the other meets.
struct Met {
  int32_t first = 0, count = 0;
  __device__ __forceinline__ bool operator()(int row) const {
    return static_cast<uint32_t>(row - first) < static_cast<uint32_t>(count);
  }
};
__device__ __forceinline__ Met met_from(int64_t first, int64_t end) {
  first = first > 0 ? first : 0;
  return {static_cast<int32_t>(first), end > first ? static_cast<int32_t>(end - first) : 0};
}
// The keys that query i of the tile's document sees.
__device__ __forceinline__ Met keys_of(const AttentionTile& t, const AttentionConstants& s, int i) {
  if (i >= t.q_rows) return {};
  if (!s.causal) return {0, t.k_rows};
  const int end = i + 1 + t.k_rows - t.q_rows;
  return met_from(s.window > 0 ? end - s.window : 0, end);
}
// The queries that see key j.
__device__ __forceinline__ Met queries_of(const AttentionTile& t, const AttentionConstants& s,
                                          int j) {
  if (j >= t.k_rows) return {};
  if (!s.causal) return {0, t.q_rows};
  const int first = j + t.q_rows - t.k_rows;
  return met_from(first, s.window > 0 && first + s.window < t.q_rows ? first + s.window : t.q_rows);
}

// x and y as sums of two bf16 each.
__device__ __forceinline__ void split_pair(float x, float y, uint32_t& high, uint32_t& low) {
  high = pack_bf16(x, y);
  low = pack_bf16(x - __builtin_bit_cast(float, high << 16),
                  y - __builtin_bit_cast(float, high & 0xffff0000u));
}

// tile = rows [0, 64) of x, `stride` apart, zeros behind `rows` rows and d columns, where
// d % 8 == 0; by a block of `Threads`.
// bf16 arrives after copy_wait and a barrier, f32 after a barrier.
template <int D, int Threads = kAttentionThreads>
__device__ __forceinline__ void load_tile(bf16* tile, const bf16* x, int64_t stride, int rows,
                                          int d) {
  constexpr int kChunks = D / 8, kStep = Threads / kChunks;
  const int j = static_cast<int>(threadIdx.x) % kChunks * 8;
  int i = static_cast<int>(threadIdx.x) / kChunks;
  const bf16* from = x + i * stride + j;
  bf16* to = tile + i * kPitch<D> + j;
#pragma unroll
  for (int n = 0; n < kTileRows / kStep; ++n) {
    copy_async_16(to, from, i < rows && j < d);
    i += kStep, from += kStep * stride, to += kStep * kPitch<D>;
  }
}
template <int D, int Threads = kAttentionThreads>
__device__ __forceinline__ void load_tile(bf16* tile, const float* x, int64_t stride, int rows,
                                          int d) {
  constexpr int kChunks = D / 4, kStep = Threads / kChunks;
  const int j = static_cast<int>(threadIdx.x) % kChunks * 4;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x) / kChunks; i < kTileRows; i += kStep) {
    Elements<float, 4> e{};
    if (i < rows && j < d) e = load<4>(x + i * stride + j);
    Elements<uint32_t, 2> high, low;
#pragma unroll
    for (int k = 0; k < 2; ++k) split_pair(e.at[2 * k], e.at[2 * k + 1], high.at[k], low.at[k]);
    store<2>(reinterpret_cast<uint32_t*>(tile + i * kPitch<D> + j), high);
    store<2>(reinterpret_cast<uint32_t*>(tile + (kTileRows + i) * kPitch<D> + j), low);
  }
}

template <int P>
__device__ __forceinline__ void mma_parts(float (&d)[4], const uint32_t (&a)[P][4],
                                          const uint32_t (&b)[P][2]) {
  mma_16x8x16(d, a[0], b[0]);
  if constexpr (P == 2) {
    mma_16x8x16(d, a[0], b[1]);
    mma_16x8x16(d, a[1], b[0]);
  }
}

// c [16, 8 N] = a b^T: the warp's 16 rows of a tile against 8 N rows of another; a and b: the first
// of them. c[n] holds the columns 8 n .. 8 n + 7 as mma_16x8x16 does.
template <class T, int D, int N>
__device__ __forceinline__ void product_transposed(float (&c)[N][4], const bf16* a, const bf16* b) {
  constexpr int P = kParts<T>, kPart = kTileRows * kPitch<D>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) c[n][i] = 0.0f;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t fa[P][4];
#pragma unroll
    for (int p = 0; p < P; ++p)
      load_matrices<false>(fa[p], a + p * kPart + lane % 16 * kPitch<D> + k + lane / 16 * 8);
#pragma unroll
    for (int n = 0; n < N; n += 2) {
      uint32_t fb[2][P][2];
#pragma unroll
      for (int p = 0; p < P; ++p) {
        uint32_t r[4];
        load_matrices<false>(r, b + p * kPart + (8 * n + lane / 16 * 8 + lane % 8) * kPitch<D> + k +
                                    lane / 8 % 2 * 8);
        fb[0][p][0] = r[0], fb[0][p][1] = r[1], fb[1][p][0] = r[2], fb[1][p][1] = r[3];
      }
      mma_parts<P>(c[n], fa, fb[0]);
      mma_parts<P>(c[n + 1], fa, fb[1]);
    }
  }
}

// c [16, 8 N] += a b, for 16 rows of b, where a is in mma_16x8x16's fragments. b: in a tile [64,
// D], the first of its rows and columns.
template <class T, int D, int N>
__device__ __forceinline__ void add_step(float (&c)[N][4], const uint32_t (&fa)[kParts<T>][4],
                                         const bf16* b) {
  constexpr int P = kParts<T>, kPart = kTileRows * kPitch<D>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    uint32_t fb[2][P][2];
#pragma unroll
    for (int p = 0; p < P; ++p) {
      uint32_t r[4];
      load_matrices<true>(r, b + p * kPart + lane % 16 * kPitch<D> + 8 * n + lane / 16 * 8);
      fb[0][p][0] = r[0], fb[0][p][1] = r[1], fb[1][p][0] = r[2], fb[1][p][1] = r[3];
    }
    mma_parts<P>(c[n], fa, fb[0]);
    mma_parts<P>(c[n + 1], fa, fb[1]);
  }
}

// c [16, 8 N] += a b: a [16, 8 K] as product_transposed left it, b in a tile [64, D].
template <class T, int D, int N, int K>
__device__ __forceinline__ void add_product(float (&c)[N][4], const float (&a)[K][4],
                                            const bf16* b) {
#pragma unroll
  for (int k = 0; k < K; k += 2) {
    uint32_t fa[kParts<T>][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float x = a[k + i / 2][i % 2 * 2], y = a[k + i / 2][i % 2 * 2 + 1];
      if constexpr (kParts<T> == 2)
        split_pair(x, y, fa[0][i], fa[1][i]);
      else
        fa[0][i] = pack_bf16(x, y);
    }
    add_step<T, D>(c, fa, b + 8 * k * kPitch<D>);
  }
}

// The same where warps have shared out the columns of a [64, 64]: each puts its [16, 8 K] of it
// into shared memory, and, after a barrier, multiplies 16 rows.
template <class T>
inline constexpr int kScoresSize = kParts<T>* kTileRows* kPitch<kTileRows>;  // bf16 elements
template <class T, int K>
__device__ __forceinline__ void share_scores(bf16* at, const float (&a)[K][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int n = 0; n < K; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      uint32_t parts[2];
      if constexpr (kParts<T> == 2)
        split_pair(a[n][2 * half], a[n][2 * half + 1], parts[0], parts[1]);
      else
        parts[0] = pack_bf16(a[n][2 * half], a[n][2 * half + 1]);
      const int to = (lane / 4 + 8 * half) * kPitch<kTileRows> + 8 * n + lane % 4 * 2;
#pragma unroll
      for (int p = 0; p < kParts<T>; ++p)
        *reinterpret_cast<uint32_t*>(at + p * kTileRows * kPitch<kTileRows> + to) = parts[p];
    }
}
template <class T, int D, int N>
__device__ __forceinline__ void add_shared_product(float (&c)[N][4], const bf16* a, const bf16* b) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < kTileRows; k += 16) {
    uint32_t fa[kParts<T>][4];
#pragma unroll
    for (int p = 0; p < kParts<T>; ++p)
      load_matrices<false>(fa[p],
                           a + (p * kTileRows + lane % 16) * kPitch<kTileRows> + k + lane / 16 * 8);
    add_step<T, D>(c, fa, b + k * kPitch<D>);
  }
}

// Writes the warp's 16 rows of 8 N columns from its registers in accesses of 16 bytes, through its
// part of a tile that nobody reads any more: all warps have passed a barrier since. `rows` and `d`
// say how many of them are there; x and tile: the first element.
template <class T, int D, int N>
__device__ __forceinline__ void store_rows(T* x, int64_t stride, int rows, int d,
                                           const float (&c)[N][4], T* tile) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      T* at = tile + (lane / 4 + 8 * half) * kPitch<D> + 8 * n + lane % 4 * 2;
      if constexpr (sizeof(T) == 2)
        *reinterpret_cast<uint32_t*>(at) = pack_bf16(c[n][2 * half], c[n][2 * half + 1]);
      else
        store<2>(at, Elements<float, 2>{c[n][2 * half], c[n][2 * half + 1]});
    }
  __syncwarp();
  constexpr int kPackOf = kPackSize<T>, kChunks = 8 * N / kPackOf;
  for (int chunk = lane; chunk < 16 * kChunks; chunk += kWarp) {
    const int i = chunk / kChunks, j = chunk % kChunks * kPackOf;
    if (i < rows && j < d) store128(x + i * stride + j, load128(tile + i * kPitch<D> + j));
  }
}

}  // namespace lk
