// Products of bf16 matrices on the CPU's matrix tiles (AMX), sums in f32. All sizes are multiples
// of 32; B lies in pairs of rows: B[k / 2][n][2].
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/cpu.h"
#include "engine/kernels/intrinsics.h"

namespace lk {
namespace {

// The thread's tiles hold 16 rows of 64 bytes while this lives.
class TileScope {
 public:
  TileScope() {
    struct alignas(64) Config {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

// C [m, n] (+)= A [m, k] B [k, n]; lda, ldb in elements (of A, and columns of B), ldc in floats.
template <class Isa>
inline void tile_product(float* c, int64_t ldc, const bf16* a, int64_t lda, const bf16* b,
                         int64_t ldb, int64_t m, int64_t n, int64_t k, bool add) {
  const int64_t c_row = ldc * 4, a_row = lda * 2, b_row = ldb * 4;
  asm volatile("" ::: "memory");  // the tile intrinsics do not say that they read memory
  for (int64_t i = 0; i < m; i += 32)
    for (int64_t j = 0; j < n; j += 32) {
      float *c0 = c + i * ldc + j, *c1 = c0 + 16 * ldc;
      if (add) {
        _tile_loadd(0, c0, c_row);
        _tile_loadd(1, c0 + 16, c_row);
        _tile_loadd(2, c1, c_row);
        _tile_loadd(3, c1 + 16, c_row);
      } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      }
      for (int64_t l = 0; l < k; l += 32) {
        const bf16 *al = a + i * lda + l, *bl = b + l * ldb + j * 2;
        _tile_loadd(4, al, a_row);
        _tile_loadd(5, al + 16 * lda, a_row);
        _tile_loadd(6, bl, b_row);
        _tile_loadd(7, bl + 32, b_row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, c0, c_row);
      _tile_stored(1, c0 + 16, c_row);
      _tile_stored(2, c1, c_row);
      _tile_stored(3, c1 + 16, c_row);
    }
  asm volatile("" ::: "memory");
}

// to [k / 2][n][2] from x [n, k], whose rows are `stride` apart: B = x^T in pairs. Rows past `rows`
// are zero.
template <class Isa>
inline void pair_transposed(bf16* to, const bf16* x, int64_t stride, int64_t rows, int64_t n,
                            int64_t k) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t l = 0; l < k; l += 2) {
      uint32_t pair = 0;
      if (i < rows) std::memcpy(&pair, x + i * stride + l, sizeof pair);
      std::memcpy(static_cast<void*>(to + l * n + i * 2), &pair, sizeof pair);
    }
}

// to [k / 2][n][2] from x [k, n]: B = x in pairs. Rows past `rows` are zero.
template <class Isa>
inline void pair_rows(bf16* to, const bf16* x, int64_t stride, int64_t rows, int64_t k, int64_t n) {
  const bf16 zero{};
  for (int64_t l = 0; l < k; l += 2) {
    const bf16 *even = x + l * stride, *odd = even + stride;
    bf16* row = to + l * n;
    if (l + 1 < rows)
      for (int64_t j = 0; j < n; ++j) row[2 * j] = even[j], row[2 * j + 1] = odd[j];
    else
      for (int64_t j = 0; j < n; ++j) row[2 * j] = l < rows ? even[j] : zero, row[2 * j + 1] = zero;
  }
}

}  // namespace
}  // namespace lk
