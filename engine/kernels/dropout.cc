#include "engine/kernels/dropout.h"

#include <algorithm>

#include "engine/cpu.h"
#include "engine/kernels/philox_lanes.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void dropout_forward(Isa, T* y, const T* x, int64_t n, float p, uint64_t seed, uint64_t stream) {
  using A = acc_t<T>;
  constexpr int64_t kChunk = 4 * kPhiloxLanes;
  const A keep = A(1) / A(1.0f - p);
  parallel_for((n + kChunk - 1) / kChunk, 16, [=](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      PhiloxLanes words;
      philox_lanes(words, seed, stream, static_cast<uint64_t>(chunk) * kPhiloxLanes);
      float u[kChunk];
      for (int i = 0; i < kPhiloxLanes; ++i)
        for (int w = 0; w < 4; ++w)
          u[4 * i + w] = static_cast<float>(words.w[w][i] >> 8) * 0x1p-24f;
      const int64_t at = chunk * kChunk, count = std::min(kChunk, n - at);
      for (int64_t i = 0; i < count; ++i)
        y[at + i] = T(u[i] >= p ? static_cast<A>(x[at + i]) * keep : A(0));
    }
  });
}

template void dropout_forward(LK_ISA, float*, const float*, int64_t, float, uint64_t, uint64_t);
template void dropout_forward(LK_ISA, bf16*, const bf16*, int64_t, float, uint64_t, uint64_t);
template void dropout_forward(LK_ISA, double*, const double*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
