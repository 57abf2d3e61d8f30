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
      PhiloxLanes<kPhiloxLanes> words;
      philox_lanes<Isa>(words, seed, stream, static_cast<uint64_t>(chunk) * kPhiloxLanes);
      float u[kChunk];
      uniform_in_order(u, words);
      const int64_t at = chunk * kChunk, count = std::min(kChunk, n - at);
      const T* from = x + at;
      T* to = y + at;
      const float share = p;  // the names of this loop alone: a store to y cannot change them
      const A scale = keep;
      for (int64_t i = 0; i < count; ++i) {
        const A kept = static_cast<A>(from[i]) * scale;
        to[i] = T(u[i] >= share ? kept : A(0));
      }
    }
  });
}

template void dropout_forward(LK_ISA, float*, const float*, int64_t, float, uint64_t, uint64_t);
template void dropout_forward(LK_ISA, bf16*, const bf16*, int64_t, float, uint64_t, uint64_t);
template void dropout_forward(LK_ISA, double*, const double*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
