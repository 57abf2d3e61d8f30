// The product of 4-bit codes with bf16 where the CPU looks up and multiplies bytes, 64 at a time
// (VPERMB, VPDPBUSD): 17 vector instructions for 128 codes instead of 22.
#include <numeric>

#include "engine/kernels/matvec_4bit_rows.h"

namespace lk {
namespace {

// A value of the code book is (u - 2^15) / kOne, u = 256 uh + ul; x is 256 xh + xl. Of a sum of
// products, divided by 256,
//   sum(u - 2^15) x / 256 = 256 sum uh xh + sum(uh xl + ul xh) + sum ul xl / 256 - sum 2^7 x,
// the last term is known beforehand, and of the one before it, at most 2^-15 of the largest, only
// the mean over ul is taken, which is known beforehand as well.
constexpr float kOne = 32767;

template <>
struct Products<Vnni, bf16> {
  explicit Products(const float* values) {
    for (int c = 0; c < 16; ++c) {
      const auto u = static_cast<uint32_t>(values[c] * kOne + 32768.5f);
      high[c] = static_cast<uint8_t>(u >> 8);
      low[c] = static_cast<uint8_t>(u);
    }
  }

  template <int M>
  [[gnu::always_inline]] void operator()(Floats<Vnni> (&sum)[M][1], const uint8_t* codes,
                                         const Lanes<Vnni, bf16>* x, int64_t pitch) const {
    // Four times the table in a register: of an index 4 bits count.
    const __m512i highs = table(high), lows = table(low), bytes = _mm512_loadu_si512(codes);
    const __m512i index[2] = {_mm512_srli_epi16(bytes, 4), bytes};
    __m512i large[M], small[M];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      large[m] = _mm512_setzero_si512();
      small[m] = _mm512_load_si512(x[m * pitch].start);
    }
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const __m512i uh = _mm512_permutexvar_epi8(index[k], highs),
                    ul = _mm512_permutexvar_epi8(index[k], lows);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const __m512i xh = _mm512_load_si512(x[m * pitch].high[k]),
                      xl = _mm512_load_si512(x[m * pitch].low[k]);
        large[m] = _mm512_dpbusd_epi32(large[m], uh, xh);
        small[m] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(small[m], uh, xl), ul, xh);
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
      sum[m][0] = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(large[m], 8), small[m])) *
                  x[m * pitch].scale;
  }

  static void put(Lanes<Vnni, bf16>& lanes, const bf16* x, int64_t n) {
    int32_t whole[kChunk];
    lanes.scale = whole_numbers(whole, x, n, 14) * 256 / kOne;
    int32_t start[kChunk];
    // The first code of a byte is its high half.
    for (int64_t k = 0; k < 2; ++k)
      for (int64_t j = 0; j < kChunk / 2; ++j) {
        // A number may be nearer to 2^15 than the bytes reach.
        const int32_t v = std::clamp(whole[2 * j + k], -0x7f80, 0x7f7f), high = (v + 128) >> 8,
                      low = v - 256 * high;
        lanes.high[k][j] = static_cast<int8_t>(high);
        lanes.low[k][j] = static_cast<int8_t>(low);
        start[2 * j + k] = low - 256 * v;
      }
    for (int l = 0; l < 16; ++l)
      lanes.start[l] = std::accumulate(start + 8 * l, start + 8 * l + 8, 0) / 2;
  }

  static __m512i table(const uint8_t* bytes) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
  }

  alignas(16) uint8_t high[16], low[16];
};

}  // namespace

template void put_in_lanes(Vnni, Lanes<Vnni, bf16>*, const bf16*, int64_t, int64_t);
template void matvec_4bit(Vnni, bf16*, int64_t, const Lanes<Vnni, bf16>*, int64_t,
                          const Matrix4Bit&, const float*);

}  // namespace lk
