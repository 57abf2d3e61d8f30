// What the products from 4-bit codes have in common: rows of x times rows of W, a chunk at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/kernels/intrinsics.h"
#include "engine/kernels/matvec_4bit.h"
#include "engine/kernels/vector.h"

namespace lk {
namespace {

constexpr int64_t kChunk = 128;   // codes
constexpr int64_t kAhead = 2048;  // bytes fetched ahead

template <class Isa>
using Floats = typename Vector<Isa, float>::type;
template <class Isa>
constexpr int kParts = 16 / static_cast<int>(Vector<Isa, float>::lanes);

template <class Isa>
inline float sum_of(const Floats<Isa>& v) {
  constexpr int64_t lanes = Vector<Isa, float>::lanes;
  float part[lanes];
  std::memcpy(part, &v, sizeof part);
  for (int64_t width = lanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) part[l] += part[l + width];
  return part[0];
}

// The factor of each of a chunk's 16 lanes: F factors, of as many lanes each.
template <class Isa, int F>
inline void spread(Floats<Isa>* out, const float* factors) {
#if defined(__AVX512BW__)
  if constexpr (F == 1) {
    out[0] = _mm512_set1_ps(*factors);
  } else {
    const __m128 some = _mm_maskz_loadu_ps(static_cast<__mmask8>((1 << F) - 1), factors);
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    out[0] = _mm512_permutexvar_ps(_mm512_srli_epi32(lane, F == 2 ? 3 : 2),
                                   _mm512_castps128_ps512(some));
  }
#else
  float each[16];
  for (int l = 0; l < 16; ++l) each[l] = factors[l * F / 16];
  std::memcpy(out, each, sizeof each);
#endif
}

// How a kernel set multiplies: put(lanes, x, n) lays out n <= kChunk numbers; made of the code book
// and called with (sum, codes, x, pitch) it gives sum[m], the products of a chunk's codes [kChunk /
// 2] with x[m pitch] for M rows of x, those of codes 8 l to 8 l + 7 in lane l.
template <class Isa, class T>
struct Products;

// y[m, r] for M rows of x and R rows of W, o and those `apart` from it and each other: streams that
// the processor fetches ahead each by itself. F: factors of a chunk.
template <class Isa, int M, int R, int F, class T>
[[gnu::always_inline]] inline void dots(T* y, int64_t ldy, const Lanes<Isa, T>* x,
                                        const Matrix4Bit& w, int64_t o, int64_t apart,
                                        const float* bias) {
  constexpr int parts = kParts<Isa>;
  const int64_t blocks = w.in / w.block, row_bytes = w.in / 2, pitch = lanes_of(w.in),
                whole = w.in / kChunk, rest = w.in % kChunk;
  const Products<Isa, T> products(w.values);
  Floats<Isa> acc[M][R] = {};
  const uint8_t* packed = w.packed + o * row_bytes;
  const float* factors = w.absmax + o * blocks;
  uint8_t last[R][kChunk / 2] = {};  // what a row has beyond whole chunks
  float last_factors[R][F] = {};
  for (int r = 0; r < R && rest > 0; ++r) {
    std::memcpy(last[r], packed + r * apart * row_bytes + whole * kChunk / 2,
                static_cast<size_t>(rest / 2));
    for (int64_t f = 0; f * w.block < rest; ++f)
      last_factors[r][f] = factors[r * apart * blocks + whole * F + f];
  }
  // Without a division in the loop: blocks are powers of two.
  const int shift = std::countr_zero(static_cast<uint64_t>(w.block));
  for (int64_t at = 0; at < w.in; at += kChunk) {
    const bool cut = at == whole * kChunk;
    const uint8_t* codes = cut ? last[0] : packed + at / 2;
    const float* own = cut ? last_factors[0] : factors + (at >> shift);
    const int64_t next_codes = cut ? kChunk / 2 : apart * row_bytes,
                  next_own = cut ? F : apart * blocks;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      __builtin_prefetch(codes + r * next_codes + kAhead);
      Floats<Isa> sum[M][parts];
      products(sum, codes + r * next_codes, x + at / kChunk, pitch);
      Floats<Isa> factor[parts];
      spread<Isa, F>(factor, own + r * next_own);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int p = 0; p < parts; ++p) acc[m][r] += sum[m][p] * factor[p];
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const float sum = sum_of<Isa>(acc[m][r]);
      const int64_t at = o + r * apart;
      y[m * ldy + at] = T(bias ? sum + bias[at] : sum);
    }
}

template <class Isa, int M, int F, class T>
void all_rows(T* y, int64_t ldy, const Lanes<Isa, T>* x, const Matrix4Bit& w, const float* bias) {
  constexpr int R = M == 1 ? 4 : M == 2 ? 2 : 1;
  const int64_t apart = w.out / R;
  for (int64_t o = 0; o < apart; ++o) dots<Isa, M, R, F>(y, ldy, x, w, o, apart, bias);
  for (int64_t o = R * apart; o < w.out; ++o) dots<Isa, M, 1, F>(y, ldy, x, w, o, 1, bias);
}

template <class Isa, int M, class T>
void all_rows(T* y, int64_t ldy, const Lanes<Isa, T>* x, const Matrix4Bit& w, const float* bias) {
  if (w.block == 32) return all_rows<Isa, M, 4>(y, ldy, x, w, bias);
  if (w.block == 64) return all_rows<Isa, M, 2>(y, ldy, x, w, bias);
  all_rows<Isa, M, 1>(y, ldy, x, w, bias);
}

template <class Isa, class T>
void all_rows(T* y, int64_t ldy, const Lanes<Isa, T>* x, int64_t rows, const Matrix4Bit& w,
              const float* bias) {
  if (rows == 1) return all_rows<Isa, 1>(y, ldy, x, w, bias);
  if (rows == 2) return all_rows<Isa, 2>(y, ldy, x, w, bias);
  if (rows == 3) return all_rows<Isa, 3>(y, ldy, x, w, bias);
  all_rows<Isa, 4>(y, ldy, x, w, bias);
}

// whole[i] = x[i] / scale for i < n, rounded, the largest from 2^bits on but below 2^(bits + 1), or
// at it; 0 from n to kChunk. Returns scale, a power of two; NaN where a number is not finite.
inline float whole_numbers(int32_t* whole, const bf16* x, int64_t n, int bits) {
  bf16 all[kChunk] = {};
  std::copy_n(x, n, all);
  uint16_t most = 0;  // the bits but for the sign grow with the number; infinity and NaN are above
  for (const bf16& v : all) most = std::max<uint16_t>(most, v.bits & 0x7fff);
  if (most >= 0x7f80) {
    std::fill_n(whole, kChunk, 0);
    return std::numeric_limits<float>::quiet_NaN();
  }
  // What is near f32's smallest is not lifted all the way.
  const int up = std::min(bits + 127 - (most >> 7), 100);
  const float scale = std::ldexp(1.0f, up);
  for (int64_t i = 0; i < kChunk; ++i) {
    const float v = all[i] * scale;
    whole[i] = static_cast<int32_t>(v + std::copysign(0.5f, v));
  }
  return std::ldexp(1.0f, -up);
}

}  // namespace

template <class Isa, class T>
void put_in_lanes(Isa, Lanes<Isa, T>* lanes, const T* x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t at = 0; at < n; at += kChunk)
      Products<Isa, T>::put(*lanes++, x + r * n + at, std::min(kChunk, n - at));
}

template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias) {
  all_rows(y, ldy, x, rows, w, bias);
}

}  // namespace lk
