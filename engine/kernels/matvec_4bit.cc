#include "engine/kernels/matvec_4bit.h"

#include <bit>
#include <cmath>

#include "engine/kernels/nibbles.h"
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

// sum[m] = the products of a chunk's codes [kChunk / 2] with x[m], for M rows of x, pitch apart.
template <class Isa, class T>
struct Products;

template <class Isa>
struct Products<Isa, float> {
  explicit Products(const float* values) : table(values) {}

  template <int M>
  [[gnu::always_inline]] void operator()(Floats<Isa> (&sum)[M][kParts<Isa>], const uint8_t* codes,
                                         const Lanes<float>* x, int64_t pitch) const {
    constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, float>::lanes);
    typename Table16<Isa>::Words words[parts];
    std::memcpy(words, codes, sizeof words);
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k)
#pragma GCC unroll 4
      for (int p = 0; p < parts; ++p) {
        const Floats<Isa> value = table.look_up(words[p] >> (4 * k));
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const float* own = x[m * pitch].values + k * 16 + p * lanes;
          const Floats<Isa> product = value * *reinterpret_cast<const Floats<Isa>*>(own);
          sum[m][p] = k == 0 ? product : sum[m][p] + product;
        }
      }
  }

  Table16<Isa> table;
};

template <class Isa>
struct Products<Isa, bf16> {
  explicit Products(const float* values) : table(values) {}

  template <int M>
  [[gnu::always_inline]] void operator()(Floats<Isa> (&sum)[M][kParts<Isa>], const uint8_t* codes,
                                         const Lanes<bf16>* x, int64_t pitch) const {
    using Ints = typename Vector<Isa, int32_t>::type;
    constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, int16_t>::lanes);
    Ints whole[M][parts];
#pragma GCC unroll 4
    for (int p = 0; p < parts; ++p) {
      typename WholeTable16<Isa>::Shorts values[4];
      table.look_up(values, codes + p * sizeof values[0]);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k)
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
          const Ints product =
              pair_products<Isa>(values[k], x[m * pitch].values + k * 32 + p * lanes);
          whole[m][p] = k == 0 ? product : whole[m][p] + product;
        }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int p = 0; p < parts; ++p)
        sum[m][p] = __builtin_convertvector(whole[m][p], Floats<Isa>) * x[m * pitch].scale;
  }

  WholeTable16<Isa> table;
};

// y[m, r] for M rows of x and R rows of W, o and those `apart` from it and each other: streams that
// the processor fetches ahead each by itself. F: factors of a chunk.
template <class Isa, int M, int R, int F, class T>
[[gnu::always_inline]] inline void dots(T* y, int64_t ldy, const Lanes<T>* x, const Matrix4Bit& w,
                                        int64_t o, int64_t apart, const float* bias) {
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
void all_rows(T* y, int64_t ldy, const Lanes<T>* x, const Matrix4Bit& w, const float* bias) {
  constexpr int R = M == 1 ? 4 : M == 2 ? 2 : 1;
  const int64_t apart = w.out / R;
  for (int64_t o = 0; o < apart; ++o) dots<Isa, M, R, F>(y, ldy, x, w, o, apart, bias);
  for (int64_t o = R * apart; o < w.out; ++o) dots<Isa, M, 1, F>(y, ldy, x, w, o, 1, bias);
}

template <class Isa, int M, class T>
void all_rows(T* y, int64_t ldy, const Lanes<T>* x, const Matrix4Bit& w, const float* bias) {
  if (w.block == 32) return all_rows<Isa, M, 4>(y, ldy, x, w, bias);
  if (w.block == 64) return all_rows<Isa, M, 2>(y, ldy, x, w, bias);
  all_rows<Isa, M, 1>(y, ldy, x, w, bias);
}

// In the order of Lanes: value(i) for the number i of the chunk.
template <class V, class F>
void in_order(V* lanes, F&& value) {
  constexpr int64_t nibbles = 2 * sizeof(V), words = kChunk / nibbles;
  for (int64_t k = 0; k < nibbles; ++k)
    // The first code of a byte is its high half.
    for (int64_t l = 0; l < words; ++l) lanes[k * words + l] = value(l * nibbles + (k ^ 1));
}

void put(Lanes<float>& lanes, const float* x, int64_t n) {
  in_order(lanes.values, [&](int64_t i) { return i < n ? x[i] : 0.0f; });
}

void put(Lanes<bf16>& lanes, const bf16* x, int64_t n) {
  float most = 0, sum = 0;  // sum: 0, or NaN
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i];
    most = std::max(most, std::fabs(v));
    sum += v * 0.0f;
  }
  // The largest becomes a number from 2^13 to 2^14 - 1, if it is not near the smallest of f32.
  const int up = most > 0 && sum == 0 ? std::min(13 - std::ilogb(most), 100) : 0;
  const float scale = std::ldexp(1.0f, up);
  int16_t whole[kChunk] = {};
  for (int64_t i = 0; i < n && sum == 0; ++i) {
    const float v = x[i] * scale;
    whole[i] = static_cast<int16_t>(v < 0 ? v - 0.5f : v + 0.5f);
  }
  in_order(lanes.values, [&](int64_t i) { return whole[i]; });
  lanes.scale = 1 / scale / kWholeOne + sum;
}

}  // namespace

template <class Isa, class T>
void put_in_lanes(Isa, Lanes<T>* lanes, const T* x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t at = 0; at < n; at += kChunk)
      put(*lanes++, x + r * n + at, std::min(kChunk, n - at));
}

template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias) {
  if (rows == 1) return all_rows<Isa, 1>(y, ldy, x, w, bias);
  if (rows == 2) return all_rows<Isa, 2>(y, ldy, x, w, bias);
  if (rows == 3) return all_rows<Isa, 3>(y, ldy, x, w, bias);
  all_rows<Isa, 4>(y, ldy, x, w, bias);
}

template void put_in_lanes(LK_ISA, Lanes<float>*, const float*, int64_t, int64_t);
template void put_in_lanes(LK_ISA, Lanes<bf16>*, const bf16*, int64_t, int64_t);
template void matvec_4bit(LK_ISA, float*, int64_t, const Lanes<float>*, int64_t, const Matrix4Bit&,
                          const float*);
template void matvec_4bit(LK_ISA, bf16*, int64_t, const Lanes<bf16>*, int64_t, const Matrix4Bit&,
                          const float*);

}  // namespace lk
