// The host's part of an attention launch: which tiles there are, and what they need.
#pragma once

#include <vector>

#include "cuda/attention_tiles.h"
#include "cuda/workspace.h"

namespace lk {

// The first key that any of the tile's `rows` queries sees, rounded down to a tile, and the end.
__device__ __forceinline__ void key_range(const AttentionTile& t, const AttentionConstants& s,
                                          int rows, int& begin, int& end) {
  const int shift = t.k_rows - t.q_rows;
  end = t.k_rows;
  if (!s.causal) return;
  if (t.first + rows + shift < end) end = t.first + rows + shift;
  if (s.window > 0) {
    const int64_t oldest = t.first + shift - s.window + 1;
    if (oldest > 0) begin = static_cast<int>(oldest) / kTileRows * kTileRows;
  }
}

// The queries that see any of the tile's `rows` keys: the first, rounded down to a tile, and the
// end.
__device__ __forceinline__ void query_range(const AttentionTile& t, const AttentionConstants& s,
                                            int rows, int& begin, int& end) {
  const int shift = t.k_rows - t.q_rows;
  end = t.q_rows;
  if (!s.causal) return;
  if (t.first - shift > 0) begin = (t.first - shift) / kTileRows * kTileRows;
  if (s.window > 0) {
    const int64_t newest = t.first + rows - 1 - shift + s.window;
    if (newest < end) end = static_cast<int>(newest);
  }
}

// Shared memory of a block on sm_90 and sm_100; sm_80 has 163 KiB.
inline constexpr size_t kMostShared = 227 << 10;

// Offsets, and a bias's origins, lie in host memory, also for CUDA.
inline void check_attention(const AttentionShape& s) {
  require(s.head_dim % 8 == 0 && s.head_dim > 0 && s.head_dim <= 256,
          "attention on CUDA takes head_dim a multiple of 8 up to 256, not {}", s.head_dim);
}

inline AttentionConstants attention_constants(const AttentionShape& s) {
  return {static_cast<int32_t>(s.heads),
          static_cast<int32_t>(s.kv_heads),
          static_cast<int32_t>(s.head_dim),
          s.causal,
          s.window,
          static_cast<float>(s.scale),
          s.dropout,
          s.seed,
          s.stream,
          1 / (1 - s.dropout)};
}

// The tiles of the rows that `offsets` cuts into documents (the queries, or the keys), on the
// device.
class AttentionWork {
 public:
  // origin: of a bias, or null.
  AttentionWork(Cuda cuda, const AttentionShape& s, const int32_t* offsets, const int32_t* origin)
      : tiles_(list(s, offsets, origin)), device_(cuda, static_cast<int64_t>(tiles_.size()) + 1) {
    if (!tiles_.empty())
      copy(cuda, device_.data(), tiles_.data(), tiles_.size() * sizeof(AttentionTile));
  }
  unsigned count() const { return static_cast<unsigned>(tiles_.size()); }
  const AttentionTile* tiles() const { return device_.data(); }

 private:
  static std::vector<AttentionTile> list(const AttentionShape& s, const int32_t* offsets,
                                         const int32_t* origin) {
    std::vector<AttentionTile> tiles;
    for (int64_t b = 0; b < s.documents; ++b)
      for (int32_t i = 0; i < offsets[b + 1] - offsets[b]; i += kTileRows)
        tiles.push_back({s.q_offsets[b], s.q_offsets[b + 1] - s.q_offsets[b], s.k_offsets[b],
                         s.k_offsets[b + 1] - s.k_offsets[b], i, static_cast<int32_t>(b),
                         origin ? origin[b] : 0});
    return tiles;
  }
  std::vector<AttentionTile> tiles_;
  Workspace<AttentionTile> device_;
};

// Calls f<D>() with the smallest tile width that holds head_dim.
template <class F>
void with_head_dim(int64_t head_dim, F f) {
  if (head_dim <= 32)
    f.template operator()<32>();
  else if (head_dim <= 64)
    f.template operator()<64>();
  else if (head_dim <= 128)
    f.template operator()<128>();
  else
    f.template operator()<256>();
}

}  // namespace lk
