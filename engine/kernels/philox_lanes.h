// 64 Philox counters side by side, so that each line becomes vector instructions.
#pragma once

#include <cstdint>

namespace lk {

inline constexpr int kPhiloxLanes = 64;

struct PhiloxLanes {
  uint32_t w[4][kPhiloxLanes];  // word, counter
};

// The words of counters first .. first + 63: those of philox(seed, stream, index) in engine/rng.h.
[[gnu::always_inline]] static inline void philox_lanes(PhiloxLanes& b, uint64_t seed,
                                                       uint64_t stream, uint64_t first) {
  for (int i = 0; i < kPhiloxLanes; ++i) {
    const uint64_t index = first + static_cast<uint64_t>(i);
    b.w[0][i] = static_cast<uint32_t>(index), b.w[1][i] = static_cast<uint32_t>(index >> 32);
    b.w[2][i] = static_cast<uint32_t>(stream), b.w[3][i] = static_cast<uint32_t>(stream >> 32);
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kPhiloxLanes; ++i) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * b.w[0][i], p1 = uint64_t{0xCD9E8D57u} * b.w[2][i];
      const uint32_t c0 = static_cast<uint32_t>(p1 >> 32) ^ b.w[1][i] ^ k0,
                     c2 = static_cast<uint32_t>(p0 >> 32) ^ b.w[3][i] ^ k1;
      b.w[0][i] = c0, b.w[1][i] = static_cast<uint32_t>(p1);
      b.w[2][i] = c2, b.w[3][i] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
}

}  // namespace lk
