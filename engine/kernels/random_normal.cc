#include "engine/kernels/random_normal.h"

#include <algorithm>
#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/kernels/philox_lanes.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void random_normal(Isa, T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  constexpr int64_t kChunk = 4 * kPhiloxLanes;
  parallel_for((n + kChunk - 1) / kChunk, 64, [=](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      PhiloxLanes<kPhiloxLanes> b;
      philox_lanes<Isa>(b, seed, stream, static_cast<uint64_t>(chunk) * kPhiloxLanes);
      float z[kChunk];
      for (int pair = 0; pair < 2; ++pair)
        for (int i = 0; i < kPhiloxLanes; ++i) {
          const float u = (static_cast<float>(b.w[2 * pair][i] >> 8) + 1.0f) * 0x1p-24f;
          const float v = static_cast<float>(b.w[2 * pair + 1][i] >> 8) * 0x1p-24f;
          const float r = std * std::sqrt(math::minus_two_log(u));
          float s, c;
          math::sin_cos_turn(v, s, c);
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
