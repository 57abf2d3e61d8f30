#include "engine/kernels/random_normal.h"

#include "cuda/each.h"
#include "engine/kernels/math.h"
#include "engine/kernels/philox_lanes.h"
#include "engine/rng.h"

namespace lk {
namespace {

// One Philox counter gives four numbers, kPhiloxLanes apart: as the CPU's vector lanes write them.
template <class T>
__global__ void __launch_bounds__(kEachThreads)
    random_normal_kernel(T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  constexpr int64_t kLanes = kPhiloxLanes;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t counters = (n + 4 * kLanes - 1) / (4 * kLanes) * kLanes;
  for (int64_t c = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; c < counters;
       c += stride) {
    const Philox4 w = philox(seed, stream, static_cast<uint64_t>(c));
    const int64_t first = c / kLanes * 4 * kLanes + c % kLanes;
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
      const float u = (static_cast<float>(w[2 * pair] >> 8) + 1.0f) * 0x1p-24f;
      const float r = std * sqrtf(math::minus_two_log(u));
      float s = 0, co = 0;
      math::sin_cos_turn(to_uniform(w[2 * pair + 1]), s, co);
      const int64_t at = first + 2 * pair * kLanes;
      if (at < n) y[at] = T(r * co);
      if (at + kLanes < n) y[at + kLanes] = T(r * s);
    }
  }
}

}  // namespace

template <class Isa, class T>
void random_normal(Isa cuda, T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  if (n == 0) return;
  launch(random_normal_kernel<T>, grid_for((n / 4 + kEachThreads) / kEachThreads), kEachThreads, 0,
         cuda.stream, y, n, std, seed, stream);
}

template void random_normal(Cuda, float*, int64_t, float, uint64_t, uint64_t);
template void random_normal(Cuda, bf16*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
