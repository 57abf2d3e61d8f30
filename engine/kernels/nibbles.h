// Looking up 4-bit codes in a table of 16 values that stays in registers.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/dtype.h"
#include "engine/kernels/intrinsics.h"
#include "engine/kernels/vector.h"

namespace lk {
namespace {

// table = values times scale, rounded.
inline void scale_table(float* table, const float* values, float scale) {
  for (int c = 0; c < 16; ++c) table[c] = values[c] * scale;
}
inline void scale_table(f16* table, const float* values, float scale) {
  for (int c = 0; c < 16; ++c) table[c] = f16(values[c] * scale);
}
// As bf16::round, all at once: the compiler unrolls a loop of 16 instead.
inline void scale_table(bf16* table, const float* values, float scale) {
  typedef float Floats __attribute__((vector_size(64)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  typedef uint16_t Halves __attribute__((vector_size(32)));
  Floats x;
  Words u;
  std::memcpy(&x, values, sizeof x);
  x *= scale;
  std::memcpy(&u, &x, sizeof u);
  const Words rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
  const auto nan = (Words)((u & 0x7fffffffu) > 0x7f800000u);
  const Halves bits = __builtin_convertvector((rounded & ~nan) | (quiet & nan), Halves);
  std::memcpy(static_cast<void*>(table), &bits, sizeof bits);
}

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
  using Words = typename Vector<Isa, uint32_t>::type;
  explicit Table16(const float* values) { std::memcpy(table_, values, sizeof table_); }
  // The values of the lowest 4 bits of each lane.
  Floats look_up(Words index) const {
#if defined(__AVX512BW__)
    const __m512 values = _mm512_loadu_ps(reinterpret_cast<const float*>(table_));
    return _mm512_permutexvar_ps(reinterpret_cast<__m512i>(index), values);
#elif defined(__AVX2__)
    const auto* values = reinterpret_cast<const float*>(table_);
    const __m256 below = _mm256_loadu_ps(values), above = _mm256_loadu_ps(values + 8);
    const auto lanes = reinterpret_cast<__m256i>(index);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, lanes),
                            _mm256_permutevar8x32_ps(above, lanes),
                            _mm256_castsi256_ps(_mm256_slli_epi32(lanes, 28)));
#else
    float values[16];
    std::memcpy(values, table_, sizeof values);
    Floats out;
    for (int64_t l = 0; l < Vector<Isa, float>::lanes; ++l) out[l] = values[index[l] & 15];
    return out;
#endif
  }

 private:
  Floats table_[16 / Vector<Isa, float>::lanes];
};

// The same in whole numbers: 1 is kWholeOne, of which a product with 14 bits can be summed 8 times
// in 32 bits.
inline constexpr float kWholeOne = 16384;
template <class Isa>
class WholeTable16 {
 public:
  using Shorts = typename Vector<Isa, int16_t>::type;
  explicit WholeTable16(const float* values) {
    for (int c = 0; c < 16; ++c) {
      const float scaled = values[c] * kWholeOne;
      table_[c] = static_cast<int16_t>(scaled < 0 ? scaled - 0.5f : scaled + 0.5f);
    }
  }
  // out[k]: the values of the bits from 4 k on of each word of 16 bits.
  void look_up(Shorts (&out)[4], const uint8_t* codes) const {
#if defined(__AVX512BW__)
    const __m256i once = _mm256_load_si256(reinterpret_cast<const __m256i*>(table_));
    const __m512i twice = _mm512_broadcast_i64x4(once), words = _mm512_loadu_si512(codes);
#pragma GCC unroll 4
    for (unsigned k = 0; k < 4; ++k)
      out[k] = reinterpret_cast<Shorts>(
          _mm512_permutexvar_epi16(_mm512_srli_epi16(words, 4 * k), twice));
#elif defined(__AVX2__)
    const __m256i all = _mm256_load_si256(reinterpret_cast<const __m256i*>(table_)),
                  low = _mm256_set1_epi16(0xff), nibble = _mm256_set1_epi8(15);
    // Low and high bytes of the 16 values, once for each half of a register.
    const __m256i packed = _mm256_permute4x64_epi64(
        _mm256_packus_epi16(_mm256_and_si256(all, low), _mm256_srli_epi16(all, 8)), 0xd8);
    const __m256i lows = _mm256_permute4x64_epi64(packed, 0x44),
                  highs = _mm256_permute4x64_epi64(packed, 0xee),
                  words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    for (int k = 0; k < 2; ++k) {
      const __m256i index = _mm256_and_si256(k == 0 ? words : _mm256_srli_epi16(words, 4), nibble);
      const __m256i l = _mm256_shuffle_epi8(lows, index), h = _mm256_shuffle_epi8(highs, index);
      out[k] = reinterpret_cast<Shorts>(
          _mm256_or_si256(_mm256_and_si256(l, low), _mm256_slli_epi16(h, 8)));
      out[k + 2] = reinterpret_cast<Shorts>(
          _mm256_or_si256(_mm256_srli_epi16(l, 8), _mm256_andnot_si256(low, h)));
    }
#else
    uint16_t words[Vector<Isa, int16_t>::lanes];
    std::memcpy(words, codes, sizeof words);
    for (int k = 0; k < 4; ++k)
      for (int64_t l = 0; l < Vector<Isa, int16_t>::lanes; ++l)
        out[k][l] = table_[words[l] >> (4 * k) & 15];
#endif
  }

 private:
  alignas(64) int16_t table_[16];
};

// Each lane: the products of two neighbours, summed.
template <class Isa>
inline typename Vector<Isa, int32_t>::type pair_products(typename Vector<Isa, int16_t>::type a,
                                                         const int16_t* b) {
  using Ints = typename Vector<Isa, int32_t>::type;
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(
      _mm512_madd_epi16(reinterpret_cast<__m512i>(a), _mm512_loadu_si512(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_madd_epi16(
      reinterpret_cast<__m256i>(a), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b))));
#else
  Ints out;
  for (int64_t l = 0; l < Vector<Isa, int32_t>::lanes; ++l)
    out[l] = a[2 * l] * b[2 * l] + a[2 * l + 1] * b[2 * l + 1];
  return out;
#endif
}

// Search among 15 rising thresholds: four steps down a tree whose levels lie in registers.
template <class Isa>
class Search15 {
 public:
  explicit Search15(const float* thresholds) {
    for (int level = 0; level < 4; ++level)
      for (int node = 0; node < 1 << level; ++node)
        tree_[level][node] = thresholds[(node << (4 - level)) + (8 >> level) - 1];
  }
  // code[i] = how many thresholds lie below x[i]; all of them for NaN.
  void count_below(uint8_t* code, const float* x, int64_t n) const {
    int64_t i = 0;
#if defined(__AVX512BW__)
    const __m512 first = _mm512_set1_ps(tree_[0][0]), second = _mm512_loadu_ps(tree_[1]),
                 third = _mm512_loadu_ps(tree_[2]), fourth = _mm512_loadu_ps(tree_[3]);
    const __m512i one = _mm512_set1_epi32(1);
    for (; i + 16 <= n; i += 16) {
      const __m512 v = _mm512_loadu_ps(x + i);
      const auto down = [&](__m512i node, const __m512& level) {
        const __mmask16 right =
            _mm512_cmp_ps_mask(v, _mm512_permutexvar_ps(node, level), _CMP_NLE_UQ);
        const __m512i twice = _mm512_add_epi32(node, node);
        return _mm512_mask_add_epi32(twice, right, twice, one);
      };
      __m512i node = _mm512_maskz_mov_epi32(_mm512_cmp_ps_mask(v, first, _CMP_NLE_UQ), one);
      node = down(down(down(node, second), third), fourth);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(code + i), _mm512_cvtepi32_epi8(node));
    }
#elif defined(__AVX2__)
    const __m256 levels[4] = {_mm256_loadu_ps(tree_[0]), _mm256_loadu_ps(tree_[1]),
                              _mm256_loadu_ps(tree_[2]), _mm256_loadu_ps(tree_[3])};
    for (; i + 8 <= n; i += 8) {
      const __m256 v = _mm256_loadu_ps(x + i);
      __m256i node = _mm256_setzero_si256();
      for (const __m256& level : levels) {
        const __m256 right = _mm256_cmp_ps(v, _mm256_permutevar8x32_ps(level, node), _CMP_NLE_UQ);
        node = _mm256_sub_epi32(_mm256_add_epi32(node, node), _mm256_castps_si256(right));
      }
      const __m128i words =
          _mm_packus_epi32(_mm256_castsi256_si128(node), _mm256_extracti128_si256(node, 1));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(code + i), _mm_packus_epi16(words, words));
    }
#endif
    for (; i < n; ++i) {
      int node = 0;
      for (int level = 0; level < 4; ++level) node = 2 * node + !(x[i] <= tree_[level][node]);
      code[i] = static_cast<uint8_t>(node);
    }
  }

 private:
  float tree_[4][16] = {};  // [level][node]; a level has 1, 2, 4, 8 nodes
};

}  // namespace
}  // namespace lk
