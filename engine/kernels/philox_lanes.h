// Philox counters side by side: the words of philox(seed, stream, index) in engine/rng.h for as
// many indices in a row.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/kernels/intrinsics.h"
#include "engine/kernels/vector.h"

namespace lk {
namespace {

inline constexpr int kPhiloxLanes = 64;

template <int N>
struct PhiloxLanes {
  uint32_t w[4][N];  // word, counter
};

// The low halves of a's lanes times m. One instruction, which compilers do not find by themselves.
template <class Isa>
inline typename Vector<Isa, uint64_t>::type times(typename Vector<Isa, uint64_t>::type a,
                                                  uint32_t m) {
  using Wide [[maybe_unused]] = typename Vector<Isa, uint64_t>::type;
#if defined(__AVX512F__)
  return reinterpret_cast<Wide>(
      _mm512_mul_epu32(reinterpret_cast<__m512i>(a), _mm512_set1_epi64(m)));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(m)));
#else
  return (a & 0xffffffffu) * m;
#endif
}

// Counters first .. first + N - 1. A word lies in the low half of a lane of 64 bits, where products
// are taken from; what is in the high halves does not count.
template <class Isa, int N>
[[gnu::always_inline]] inline void philox_lanes(PhiloxLanes<N>& out, uint64_t seed, uint64_t stream,
                                                uint64_t first) {
  using Wide = typename Vector<Isa, uint64_t>::type;
  constexpr int lanes = static_cast<int>(Vector<Isa, uint64_t>::lanes), together = 2;
  static_assert(N % (together * lanes) == 0);
  typedef uint32_t Words __attribute__((vector_size(sizeof(Wide) / 2)));
  for (int at = 0; at < N; at += together * lanes) {
    Wide w[together][4];
    for (int t = 0; t < together; ++t) {
      uint64_t index[lanes];
      for (int l = 0; l < lanes; ++l) index[l] = first + static_cast<uint64_t>(at + t * lanes + l);
      std::memcpy(w[t], index, sizeof index);
      w[t][1] = w[t][0] >> 32;
      w[t][2] = Wide{} + stream;
      w[t][3] = Wide{} + (stream >> 32);
    }
    uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
#pragma GCC unroll 2
      for (int t = 0; t < together; ++t) {
        const Wide p0 = times<Isa>(w[t][0], 0xD2511F53u), p1 = times<Isa>(w[t][2], 0xCD9E8D57u);
        w[t][0] = (p1 >> 32) ^ w[t][1] ^ k0;
        w[t][1] = p1;
        w[t][2] = (p0 >> 32) ^ w[t][3] ^ k1;
        w[t][3] = p0;
      }
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    for (int t = 0; t < together; ++t)
      for (int word = 0; word < 4; ++word) {
        const Words words = __builtin_convertvector(w[t][word], Words);
        std::memcpy(out.w[word] + at + t * lanes, &words, sizeof words);
      }
  }
}

// [0, 1) with 24 bits, as to_uniform, by counter: u: [4 N].
template <int N>
[[gnu::always_inline]] inline void uniform_in_order(float* u, const PhiloxLanes<N>& from) {
  for (int i = 0; i < N; ++i)
    for (int word = 0; word < 4; ++word)
      u[4 * i + word] = static_cast<float>(static_cast<int32_t>(from.w[word][i] >> 8)) * 0x1p-24f;
}

}  // namespace
}  // namespace lk
