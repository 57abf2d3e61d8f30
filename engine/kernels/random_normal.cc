#include "engine/kernels/random_normal.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/philox_lanes.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// -2 ln(u) for u in (0, 1]: exponent and a polynomial of the mantissa (error below 2e-7 of the
// range).
[[gnu::always_inline]] inline float minus_two_log(float u) {
  const auto bits = std::bit_cast<uint32_t>(u);
  const int32_t e =
      static_cast<int32_t>((bits - 0x3f3504f3u)) >> 23;  // mantissa in [sqrt(1/2), sqrt(2))
  const float m = std::bit_cast<float>(bits - (static_cast<uint32_t>(e) << 23));
  const float t = (m - 1.0f) / (m + 1.0f), t2 = t * t;
  const float log_m =
      2.0f * t * (1.0f + t2 * (1.0f / 3 + t2 * (1.0f / 5 + t2 * (1.0f / 7 + t2 * (1.0f / 9)))));
  return -2.0f * (log_m + static_cast<float>(e) * 0.69314718056f);
}

// sin and cos of 2 pi v for v in [0, 1): quadrant and Taylor polynomials on [-pi/4, pi/4].
[[gnu::always_inline]] inline void sin_cos_turn(float v, float& s, float& c) {
  const float quadrant =
      static_cast<float>(static_cast<int32_t>(v * 4.0f + 0.5f));  // NOLINT: v >= 0
  const float x = (v - quadrant * 0.25f) * 6.28318530718f, x2 = x * x;
  const float sx =
      x *
      (1.0f + x2 * (-1.0f / 6 + x2 * (1.0f / 120 + x2 * (-1.0f / 5040 + x2 * (1.0f / 362880)))));
  const float cx =
      1.0f + x2 * (-0.5f + x2 * (1.0f / 24 + x2 * (-1.0f / 720 + x2 * (1.0f / 40320))));
  const int32_t q = static_cast<int32_t>(quadrant) & 3;
  const float a = q & 1 ? cx : sx, b = q & 1 ? sx : cx;
  s = q & 2 ? -a : a;
  c = (q == 1 || q == 2) ? -b : b;
}

}  // namespace

template <class Isa, class T>
void random_normal(Isa, T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  constexpr int64_t kChunk = 4 * kPhiloxLanes;
  parallel_for((n + kChunk - 1) / kChunk, 64, [=](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      PhiloxLanes b;
      philox_lanes(b, seed, stream, static_cast<uint64_t>(chunk) * kPhiloxLanes);
      float z[kChunk];
      for (int pair = 0; pair < 2; ++pair)
        for (int i = 0; i < kPhiloxLanes; ++i) {
          const float u = (static_cast<float>(b.w[2 * pair][i] >> 8) + 1.0f) * 0x1p-24f;
          const float v = static_cast<float>(b.w[2 * pair + 1][i] >> 8) * 0x1p-24f;
          const float r = std * std::sqrt(minus_two_log(u));
          float s, c;
          sin_cos_turn(v, s, c);
          z[(2 * pair) * kPhiloxLanes + i] = r * c;
          z[(2 * pair + 1) * kPhiloxLanes + i] = r * s;
        }
      const int64_t count = std::min(kChunk, n - chunk * kChunk);
      for (int64_t i = 0; i < count; ++i) y[chunk * kChunk + i] = T(z[i]);
    }
  });
}

template void random_normal(LK_ISA, float*, int64_t, float, uint64_t, uint64_t);
template void random_normal(LK_ISA, bf16*, int64_t, float, uint64_t, uint64_t);
template void random_normal(LK_ISA, double*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
