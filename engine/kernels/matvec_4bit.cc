#include "engine/kernels/matvec_4bit.h"

#include "engine/dtype.h"
#include "engine/kernels/nibbles.h"
#include "engine/kernels/vector.h"

namespace lk {
namespace {

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

constexpr int64_t kChunk = 128, kNibbles = 8;  // codes: 16 words of 8

// The factor of each of a chunk's 16 words: F factors, of as many words each.
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

// y[m, r] for M rows of x and the rows [o, o + R) of W; F: factors of a chunk.
template <class Isa, int M, int R, int F, class T>
[[gnu::always_inline]] inline void dots(T* y, int64_t ldy, const float* x, const Matrix4Bit& w,
                                        int64_t o, const float* bias) {
  using Words = typename Table16<Isa>::Words;
  constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, float>::lanes);
  const int64_t blocks = w.in / w.block, row_bytes = w.in / 2, pitch = length_in_lanes(w.in),
                whole = w.in / kChunk, rest = w.in % kChunk;
  const Table16<Isa> table(w.values);
  Floats<Isa> acc[M][R] = {};
  const uint8_t* packed = w.packed + o * row_bytes;
  const float* factors = w.absmax + o * blocks;
  uint8_t last[R][kChunk / 2] = {};  // what a row has beyond whole chunks
  float last_factors[R][F] = {};
  for (int r = 0; r < R && rest > 0; ++r) {
    std::memcpy(last[r], packed + r * row_bytes + whole * kChunk / 2,
                static_cast<size_t>(rest / 2));
    for (int64_t f = 0; f * w.block < rest; ++f)
      last_factors[r][f] = factors[r * blocks + whole * F + f];
  }
  for (int64_t at = 0; at < pitch; at += kChunk) {
    const bool cut = at == whole * kChunk;
    const uint8_t* codes = cut ? last[0] : packed + at / 2;
    const float* own = cut ? last_factors[0] : factors + at / w.block;
    const int64_t next_codes = cut ? kChunk / 2 : row_bytes, next_own = cut ? F : blocks;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      Words words[parts];
      std::memcpy(words, codes + r * next_codes, sizeof words);
      // Rows are too short for the processor to see what comes.
      __builtin_prefetch(codes + (R + r) * next_codes);
      Floats<Isa> sum[M][parts] = {};
#pragma GCC unroll 8
      for (int k = 0; k < kNibbles; ++k)
#pragma GCC unroll 4
        for (int p = 0; p < parts; ++p) {
          const Floats<Isa> value = table.look_up(words[p] >> (4 * k));
#pragma GCC unroll 4
          for (int m = 0; m < M; ++m)
            sum[m][p] += value * *reinterpret_cast<const Floats<Isa>*>(x + m * pitch + at + k * 16 +
                                                                       p * lanes);
        }
      Floats<Isa> factor[parts];
      spread<Isa, F>(factor, own + r * next_own);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int p = 0; p < parts; ++p) acc[m][r] += sum[m][p] * factor[p];
    }
  }
  for (int m = 0; m < M; ++m)
    for (int r = 0; r < R; ++r) {
      const float sum = sum_of<Isa>(acc[m][r]);
      y[m * ldy + o + r] = T(bias ? sum + bias[o + r] : sum);
    }
}

template <class Isa, int M, int F, class T>
void all_rows(T* y, int64_t ldy, const float* x, const Matrix4Bit& w, const float* bias) {
  constexpr int R = M == 1 ? 4 : M == 2 ? 2 : 1;
  int64_t o = 0;
  for (; o + R <= w.out; o += R) dots<Isa, M, R, F>(y, ldy, x, w, o, bias);
  for (; o < w.out; ++o) dots<Isa, M, 1, F>(y, ldy, x, w, o, bias);
}

template <class Isa, int M, class T>
void all_rows(T* y, int64_t ldy, const float* x, const Matrix4Bit& w, const float* bias) {
  if (w.block == 32) return all_rows<Isa, M, 4>(y, ldy, x, w, bias);
  if (w.block == 64) return all_rows<Isa, M, 2>(y, ldy, x, w, bias);
  all_rows<Isa, M, 1>(y, ldy, x, w, bias);
}

}  // namespace

template <class Isa, class T>
void put_in_lanes(Isa, float* lanes, const T* x, int64_t rows, int64_t n) {
  const int64_t pitch = length_in_lanes(n);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t at = 0; at < pitch; at += kChunk)
      for (int64_t k = 0; k < kNibbles; ++k)
        for (int64_t l = 0; l < 16; ++l) {
          // The first code of a byte is its high half.
          const int64_t i = at + l * kNibbles + (k ^ 1);
          lanes[r * pitch + at + k * 16 + l] = i < n ? static_cast<float>(x[r * n + i]) : 0.0f;
        }
}

template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias) {
  if (rows == 1) return all_rows<Isa, 1>(y, ldy, x, w, bias);
  if (rows == 2) return all_rows<Isa, 2>(y, ldy, x, w, bias);
  if (rows == 3) return all_rows<Isa, 3>(y, ldy, x, w, bias);
  all_rows<Isa, 4>(y, ldy, x, w, bias);
}

template void put_in_lanes(LK_ISA, float*, const float*, int64_t, int64_t);
template void put_in_lanes(LK_ISA, float*, const bf16*, int64_t, int64_t);
template void matvec_4bit(LK_ISA, float*, int64_t, const float*, int64_t, const Matrix4Bit&,
                          const float*);
template void matvec_4bit(LK_ISA, bf16*, int64_t, const float*, int64_t, const Matrix4Bit&,
                          const float*);

}  // namespace lk
