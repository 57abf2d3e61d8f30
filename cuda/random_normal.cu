#include "engine/kernels/random_normal.h"

#include "cuda/each.h"
#include "engine/kernels/math.h"
#include "engine/kernels/philox_lanes.h"
#include "engine/rng.h"

namespace lk {
namespace {

// One Philox counter gives four numbers, kPhiloxLanes apart: as the CPU's vector lanes write them.
// A thread takes N counters, whose numbers lie side by side.
template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    random_normal_kernel(T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  constexpr int64_t kLanes = kPhiloxLanes, kChunk = 4 * kLanes;
  static_assert(kLanes % N == 0);
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t counters = (n + kChunk - 1) / kChunk * kLanes;
  for (int64_t p = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; p < counters / N;
       p += stride) {
    const int64_t first = p * N / kLanes * kChunk + p * N % kLanes;
    Elements<T, N> z[4];
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const Philox4 w = philox(seed, stream, static_cast<uint64_t>(p * N + k));
#pragma unroll
      for (int pair = 0; pair < 4; pair += 2) {
        const float u = (static_cast<float>(w[pair] >> 8) + 1.0f) * 0x1p-24f;
        const float r = std * sqrtf(math::minus_two_log(u));
        float s = 0, co = 0;
        math::sin_cos_turn(to_uniform(w[pair + 1]), s, co);
        z[pair].at[k] = T(r * co);
        z[pair + 1].at[k] = T(r * s);
      }
    }
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      const int64_t at = first + word * kLanes;
      if (at + N <= n)
        store<N>(y + at, z[word]);
      else
#pragma unroll
        for (int k = 0; k < N; ++k)
          if (at + k < n) y[at + k] = z[word].at[k];
    }
  }
}

}  // namespace

template <class Isa, class T>
void random_normal(Isa cuda, T* y, int64_t n, float std, uint64_t seed, uint64_t stream) {
  if (n == 0) return;
  const int pack = aligned_16(y) ? kPackSize<T> : 1;
  launch(pack > 1 ? random_normal_kernel<kPackSize<T>, T> : random_normal_kernel<1, T>,
         grid_for_threads(n / (4 * pack) + 1), kEachThreads, 0, cuda.stream, y, n, std, seed,
         stream);
}

template void random_normal(Cuda, float*, int64_t, float, uint64_t, uint64_t);
template void random_normal(Cuda, bf16*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
