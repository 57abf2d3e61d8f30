// Loops over elements: y[i] = f(x0[i], x1[i], ...), 16 bytes a thread at a time where all operands
// are aligned. The bound is memory: each operand is read or written once.
#pragma once

#include <cstdint>

#include "cuda/intrinsics.h"
#include "cuda/launch.h"

namespace lk {

inline constexpr int kEachThreads = 256;

// Blocks of kEachThreads for so many threads in a loop over the grid.
inline unsigned grid_for_threads(int64_t threads) {
  return grid_for((threads + kEachThreads - 1) / kEachThreads);
}

inline bool aligned_16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// As many elements as 16 bytes of the widest operand hold.
template <class... X>
constexpr int common_pack() {
  int least = 16;
  ((least = kPackSize<X> < least ? kPackSize<X> : least), ...);
  return least;
}

// In a kernel of blocks of kEachThreads: f<N>(i) for a thread's packs of N elements from i on, of n
// that the grid shares, and f<1>(i) for the last ones, which fill none.
template <int N, class F>
__device__ __forceinline__ void for_packs(int64_t n, F f) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
  for (int64_t p = first; p < n / N; p += stride) f.template operator()<N>(p * N);
  if constexpr (N > 1)
    for (int64_t i = n / N * N + first; i < n; i += stride) f.template operator()<1>(i);
}

// The grid for it.
inline unsigned grid_for_packs(int64_t n, int pack) {
  return grid_for_threads(pack == 1 ? n : n / pack + 1);
}

// y[j] = f(e0[j], e1[j], ...)
template <int N, class F, class T, class... X>
__device__ __forceinline__ void store_each(F f, T* y, const Elements<X, N>&... e) {
  Elements<T, N> result;
#pragma unroll
  for (int j = 0; j < N; ++j) result.at[j] = T(f(static_cast<acc_t<T>>(e.at[j])...));
  store<N>(y, result);
}

template <bool Packed, class F, class T, class... X>
__global__ void __launch_bounds__(kEachThreads) each_kernel(F f, T* y, int64_t n, const X*... x) {
  for_packs<Packed ? common_pack<T, X...>() : 1>(
      n, [&]<int N>(int64_t i) { store_each<N>(f, y + i, load<N>(x + i)...); });
}

// f is a callable struct with a __device__ operator(); y may be one of x.
template <class F, class T, class... X>
void each(Cuda cuda, F f, T* y, int64_t n, const X*... x) {
  if (n == 0) return;
  const bool packed = aligned_16(y) && (aligned_16(x) && ...);
  launch(packed ? each_kernel<true, F, T, X...> : each_kernel<false, F, T, X...>,
         grid_for_packs(n, packed ? common_pack<T, X...>() : 1), kEachThreads, 0, cuda.stream, f, y,
         n, x...);
}

}  // namespace lk
