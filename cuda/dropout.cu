#include "engine/kernels/dropout.h"

#include "cuda/each.h"
#include "engine/rng.h"

namespace lk {
namespace {

// A thread makes whole groups of four masks: one Philox counter.
template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    dropout_kernel(T* y, const T* x, int64_t n, float p, float keep, uint64_t seed,
                   uint64_t stream) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; at * N < n;
       at += stride) {
    const int64_t first = at * N;
    const bool whole = first + N <= n;
    Elements<T, N> e;
    if (whole) {
      e = load<N>(x + first);
    } else {
#pragma unroll
      for (int k = 0; k < N; ++k)
        if (first + k < n) e.at[k] = x[first + k];
    }
#pragma unroll
    for (int q = 0; q < (N + 3) / 4; ++q) {
      const Philox4 words = philox(seed, stream, static_cast<uint64_t>(first / 4 + q));
#pragma unroll
      for (int k = 0; k < (N < 4 ? N : 4); ++k) {
        T& value = e.at[4 * q + k];
        uint32_t word = words[k];
        if constexpr (N < 4)
          word = first % 4 == 0   ? words[0]
                 : first % 4 == 1 ? words[1]
                 : first % 4 == 2 ? words[2]
                                  : words[3];
        value = T(to_uniform(word) >= p ? static_cast<float>(value) * keep : 0.0f);
      }
    }
    if (whole) {
      store<N>(y + first, e);
    } else {
#pragma unroll
      for (int k = 0; k < N; ++k)
        if (first + k < n) y[first + k] = e.at[k];
    }
  }
}

}  // namespace

template <class Isa, class T>
void dropout_forward(Isa cuda, T* y, const T* x, int64_t n, float p, uint64_t seed,
                     uint64_t stream) {
  if (n == 0) return;
  constexpr int N = kPackSize<T>;
  const bool packed = aligned_16(y) && aligned_16(x);
  const int64_t pieces = packed ? (n + N - 1) / N : n;
  launch(packed ? dropout_kernel<N, T> : dropout_kernel<1, T>, grid_for_threads(pieces),
         kEachThreads, 0, cuda.stream, y, x, n, p, 1.0f / (1.0f - p), seed, stream);
}

template void dropout_forward(Cuda, float*, const float*, int64_t, float, uint64_t, uint64_t);
template void dropout_forward(Cuda, bf16*, const bf16*, int64_t, float, uint64_t, uint64_t);

}  // namespace lk
