// Looking up 4-bit codes in a table of 16 values that stays in registers.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/kernels/vector.h"

#if defined(__AVX2__)
// GCC 12 takes the undefined operands of its own intrinsics for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace lk {
namespace {

// y[2 i] = table[packed[i] >> 4], y[2 i + 1] = table[packed[i] & 15] for i < bytes.
template <class Isa, class T>
inline void look_up(T* y, const uint8_t* packed, int64_t bytes, const T* table) {
  int64_t i = 0;
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 2) {
    // The permutation reads 5 bits of each index: with the table twice in the register, the high
    // half of the byte does no harm.
    const __m256i once = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table));
    const __m512i twice = _mm512_broadcast_i64x4(once);
    for (; i + 16 <= bytes; i += 16) {
      const __m512i b =
          _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(packed + i)));
      const __m512i index = _mm512_or_si512(_mm512_srli_epi32(b, 4), _mm512_slli_epi32(b, 16));
      _mm512_storeu_si512(y + 2 * i, _mm512_permutexvar_epi16(index, twice));
    }
  } else {
    const __m512i values = _mm512_loadu_si512(table);
    for (; i + 8 <= bytes; i += 8) {
      const __m512i b =
          _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed + i)));
      const __m512i index = _mm512_or_si512(_mm512_srli_epi64(b, 4), _mm512_slli_epi64(b, 32));
      _mm512_storeu_si512(y + 2 * i, _mm512_permutexvar_epi32(index, values));
    }
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 2) {
    // Low and high bytes of the values by a byte shuffle each.
    alignas(16) uint8_t low[16], high[16];
    for (int c = 0; c < 16; ++c) {
      uint16_t bits;
      std::memcpy(&bits, table + c, 2);
      low[c] = static_cast<uint8_t>(bits);
      high[c] = static_cast<uint8_t>(bits >> 8);
    }
    const __m128i lows = _mm_load_si128(reinterpret_cast<const __m128i*>(low)),
                  highs = _mm_load_si128(reinterpret_cast<const __m128i*>(high)),
                  mask = _mm_set1_epi8(15);
    for (; i + 16 <= bytes; i += 16) {
      const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed + i));
      const __m128i first = _mm_and_si128(_mm_srli_epi16(b, 4), mask),
                    second = _mm_and_si128(b, mask);
      auto* out = reinterpret_cast<__m128i*>(y + 2 * i);
      for (const __m128i index :
           {_mm_unpacklo_epi8(first, second), _mm_unpackhi_epi8(first, second)}) {
        const __m128i l = _mm_shuffle_epi8(lows, index), h = _mm_shuffle_epi8(highs, index);
        _mm_storeu_si128(out++, _mm_unpacklo_epi8(l, h));
        _mm_storeu_si128(out++, _mm_unpackhi_epi8(l, h));
      }
    }
  } else {
    const __m256 below = _mm256_loadu_ps(reinterpret_cast<const float*>(table)),
                 above = _mm256_loadu_ps(reinterpret_cast<const float*>(table) + 8);
    for (; i + 4 <= bytes; i += 4) {
      int32_t four;
      std::memcpy(&four, packed + i, 4);
      const __m256i b = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
      const __m256i index = _mm256_or_si256(_mm256_srli_epi64(b, 4), _mm256_slli_epi64(b, 32));
      const __m256 in_above = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
      _mm256_storeu_ps(reinterpret_cast<float*>(y) + 2 * i,
                       _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, index),
                                        _mm256_permutevar8x32_ps(above, index), in_above));
    }
  }
#endif
  for (; i < bytes; ++i) {
    y[2 * i] = table[packed[i] >> 4];
    y[2 * i + 1] = table[packed[i] & 15];
  }
}

// The table in registers, for sums over looked-up values.
template <class Isa>
class Table16 {
 public:
  using Floats = typename Vector<Isa, float>::type;
  explicit Table16(const float* values) { std::memcpy(table_, values, sizeof table_); }
  // even: the values of the high halves of 16 bytes, odd: of the low ones, 16 floats each.
  void look_up_pairs(Floats* even, Floats* odd, const uint8_t* packed) const {
#if defined(__AVX512BW__)
    const __m512i b =
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(packed)));
    const __m512 values = _mm512_loadu_ps(reinterpret_cast<const float*>(table_));
    even[0] = _mm512_permutexvar_ps(_mm512_srli_epi32(b, 4), values);
    odd[0] = _mm512_permutexvar_ps(b, values);  // reads 4 bits of each index
#elif defined(__AVX2__)
    const auto* values = reinterpret_cast<const float*>(table_);
    const __m256 below = _mm256_loadu_ps(values), above = _mm256_loadu_ps(values + 8);
    const auto pick = [&](__m256i index) {
      return _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, index),
                              _mm256_permutevar8x32_ps(above, index),
                              _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    };
    for (int p = 0; p < 2; ++p) {
      const __m256i b =
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(packed + 8 * p)));
      even[p] = pick(_mm256_srli_epi32(b, 4));
      odd[p] = pick(b);
    }
#else
    constexpr int lanes = static_cast<int>(Vector<Isa, float>::lanes);
    float values[16];
    std::memcpy(values, table_, sizeof values);
    for (int i = 0; i < 16; ++i) {
      even[i / lanes][i % lanes] = values[packed[i] >> 4];
      odd[i / lanes][i % lanes] = values[packed[i] & 15];
    }
#endif
  }

 private:
  Floats table_[16 / Vector<Isa, float>::lanes];
};

}  // namespace
}  // namespace lk
