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
  // values of head h and the query i of the tile's document at [j] for its key j.
  __device__ __forceinline__ const float* of_query(const AttentionTile& t, int h, int i) const {
    return values + h * count + t.origin - i;
  }
};

struct AttentionConstants {
  int32_t heads, kv_heads, head_dim;
  bool causal;
  int64_t window;
  float scale, dropout;
  uint64_t seed, stream;
  // Whether query i of a document sees key j.
  __device__ __forceinline__ bool sees(const AttentionTile& t, int i, int j) const {
    const int last = i + t.k_rows - t.q_rows;
    return j < t.k_rows && i < t.q_rows &&
           (!causal || (j <= last && (window <= 0 || j > last - window)));
  }
  // The factors on the probabilities of keys j, j + 1 (j even): 0 where dropped.
  __device__ __forceinline__ void dropout_pair(int64_t query_row, int head, int j,
                                               float (&factor)[2]) const {
    const Philox4 words = philox(
        seed, stream,
        static_cast<uint64_t>(query_row * heads + head) << 28 | static_cast<uint64_t>(j / 4));
    const float keep = 1.0f / (1.0f - dropout);
    const bool upper = j % 4 != 0;
    factor[0] = to_uniform(upper ? words[2] : words[0]) >= dropout ? keep : 0.0f;
    factor[1] = to_uniform(upper ? words[3] : words[1]) >= dropout ? keep : 0.0f;
  }
};

// tile = rows [0, 64) of x, `stride` apart, zeros behind `rows` rows and d columns, where
// d % 8 == 0.
// bf16 arrives after copy_wait and a barrier, f32 after a barrier.
template <int D>
__device__ __forceinline__ void load_tile(bf16* tile, const bf16* x, int64_t stride, int rows,
                                          int d) {
  constexpr int kChunks = D / 8;
  for (int c = static_cast<int>(threadIdx.x); c < kTileRows * kChunks; c += kAttentionThreads) {
    const int i = c / kChunks, j = c % kChunks * 8;
    const bool valid = i < rows && j < d;
    copy_async_16(tile + i * kPitch<D> + j, valid ? x + i * stride + j : x, valid);
  }
}
template <int D>
__device__ __forceinline__ void load_tile(bf16* tile, const float* x, int64_t stride, int rows,
                                          int d) {
  constexpr int kChunks = D / 8;
  for (int c = static_cast<int>(threadIdx.x); c < kTileRows * kChunks; c += kAttentionThreads) {
    const int i = c / kChunks, j = c % kChunks * 8;
    Elements<float, 8> e{};
    if (i < rows && j < d) e = load<8>(x + i * stride + j);
    Elements<bf16, 8> high, low;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      high.at[k] = bf16(e.at[k]);
      low.at[k] = bf16(e.at[k] - static_cast<float>(high.at[k]));
    }
    store<8>(tile + i * kPitch<D> + j, high);
    store<8>(tile + (kTileRows + i) * kPitch<D> + j, low);
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

// c [16, 64] = a b^T: the warp's 16 rows of tile a against the 64 rows of tile b. c[n] holds the
// columns 8 n .. 8 n + 7 as mma_16x8x16 does.
template <class T, int D>
__device__ __forceinline__ void product_transposed(float (&c)[8][4], const bf16* a, const bf16* b) {
  constexpr int P = kParts<T>, kPart = kTileRows * kPitch<D>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            row = static_cast<int>(threadIdx.x) / kWarp * 16;
#pragma unroll
  for (int n = 0; n < 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) c[n][i] = 0.0f;
#pragma unroll
  for (int k = 0; k < D; k += 16) {
    uint32_t fa[P][4];
#pragma unroll
    for (int p = 0; p < P; ++p)
      load_matrices<false>(fa[p],
                           a + p * kPart + (row + lane % 16) * kPitch<D> + k + lane / 16 * 8);
#pragma unroll
    for (int n = 0; n < 8; n += 2) {
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

// c [16, D] += a b: a [16, 64] as product_transposed left it, b a tile [64, D].
template <class T, int D>
__device__ __forceinline__ void add_product(float (&c)[D / 8][4], const float (&a)[8][4],
                                            const bf16* b) {
  constexpr int P = kParts<T>, kPart = kTileRows * kPitch<D>;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int k = 0; k < 8; k += 2) {
    uint32_t fa[P][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float x = a[k + i / 2][i % 2 * 2], y = a[k + i / 2][i % 2 * 2 + 1];
      fa[0][i] = pack_bf16(x, y);
      if constexpr (P == 2)
        fa[1][i] = pack_bf16(x - static_cast<float>(bf16(x)), y - static_cast<float>(bf16(y)));
    }
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      uint32_t fb[2][P][2];
#pragma unroll
      for (int p = 0; p < P; ++p) {
        uint32_t r[4];
        load_matrices<true>(
            r, b + p * kPart + (8 * k + lane % 16) * kPitch<D> + 8 * n + lane / 16 * 8);
        fb[0][p][0] = r[0], fb[0][p][1] = r[1], fb[1][p][0] = r[2], fb[1][p][1] = r[3];
      }
      mma_parts<P>(c[n], fa, fb[0]);
      mma_parts<P>(c[n + 1], fa, fb[1]);
    }
  }
}

// Writes the block's [64, D] from the warps' registers in accesses of 16 bytes, through a tile that
// nobody reads any more: all warps have passed a barrier since. A warp's rows are its own there.
template <class T, int D>
__device__ __forceinline__ void store_tile(T* x, int64_t stride, int rows, int d,
                                           const float (&c)[D / 8][4], bf16* tile) {
  T* staged = reinterpret_cast<T*>(tile);
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            row = static_cast<int>(threadIdx.x) / kWarp * 16;
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      T* at = staged + (row + lane / 4 + 8 * half) * kPitch<D> + 8 * n + lane % 4 * 2;
      if constexpr (sizeof(T) == 2) {
        *reinterpret_cast<uint32_t*>(at) = pack_bf16(c[n][2 * half], c[n][2 * half + 1]);
      } else {
        at[0] = c[n][2 * half];
        at[1] = c[n][2 * half + 1];
      }
    }
  __syncwarp();
  constexpr int N = kPackSize<T>, kChunks = D / N;
  for (int chunk = lane; chunk < 16 * kChunks; chunk += kWarp) {
    const int i = row + chunk / kChunks, j = chunk % kChunks * N;
    if (i < rows && j < d) store128(x + i * stride + j, load128(staged + i * kPitch<D> + j));
  }
}

}  // namespace lk
