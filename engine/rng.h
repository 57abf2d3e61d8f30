// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a
// counter-based generator. The same (seed, counter) gives the same numbers on every device and with
// any thread count.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace lk {

using Philox4 = std::array<uint32_t, 4>;

// Four random words for a 128-bit counter (stream, index) under a 64-bit key.
constexpr Philox4 philox(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  Philox4 c{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
            static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// [0, 1) with 24 bits.
constexpr float to_uniform(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// A sequence over one (seed, stream): state is the counter, so it can be saved and restored.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}
  uint32_t next() {
    if (used_ == 4) {
      block_ = philox(seed_, stream_, index_++);
      used_ = 0;
    }
    return block_[static_cast<size_t>(used_++)];
  }
  float uniform() { return to_uniform(next()); }
  double uniform53() {
    return static_cast<double>((uint64_t{next()} << 21) ^ (next() >> 11)) * 0x1p-53;
  }
  // Unbiased integer in [0, n).
  uint32_t below(uint32_t n) {
    const uint32_t limit = static_cast<uint32_t>(-n) % n;
    for (;;) {
      const uint64_t product = uint64_t{next()} * n;
      if (static_cast<uint32_t>(product) >= limit) return static_cast<uint32_t>(product >> 32);
    }
  }
  // Standard normal (Box-Muller).
  double normal() {
    const double u = 1.0 - uniform53(), v = uniform53();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
  // In-place Fisher-Yates; the order depends on the seed and stream alone.
  template <class Vector>
  void shuffle(Vector& v) {
    for (size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[below(static_cast<uint32_t>(i))]);
  }

 private:
  uint64_t seed_, stream_, index_ = 0;
  Philox4 block_{};
  int used_ = 4;
};

// The state behind dropout: every call takes a fresh stream number. Saved in checkpoints; gradient
// checkpointing rewinds it so that the recomputed masks are the same.
struct DropoutState {
  uint64_t seed = 0, next_stream = 1;
};
DropoutState& dropout_state();

}  // namespace lk
