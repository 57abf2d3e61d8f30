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

template <bool Packed, class F, class T, class... X>
__global__ void __launch_bounds__(kEachThreads) each_kernel(F f, T* y, int64_t n, const X*... x) {
  using A = acc_t<T>;
  constexpr int N = Packed ? common_pack<T, X...>() : 1;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
  for (int64_t p = first; p < n / N; p += stride) {
    const auto apply = [&](const Elements<X, N>&... e) {
      Elements<T, N> result;
#pragma unroll
      for (int j = 0; j < N; ++j) result.at[j] = T(f(static_cast<A>(e.at[j])...));
      store<N>(y + p * N, result);
    };
    apply(load<N>(x + p * N)...);
  }
  for (int64_t i = n / N * N + first; i < n; i += stride) y[i] = T(f(static_cast<A>(x[i])...));
}

// f is a callable struct with a __device__ operator(); y may be one of x.
template <class F, class T, class... X>
void each(Cuda cuda, F f, T* y, int64_t n, const X*... x) {
  if (n == 0) return;
  const bool packed = aligned_16(y) && (aligned_16(x) && ...);
  const int64_t pieces = packed ? n / common_pack<T, X...>() + 1 : n;
  launch(packed ? each_kernel<true, F, T, X...> : each_kernel<false, F, T, X...>,
         grid_for_threads(pieces), kEachThreads, 0, cuda.stream, f, y, n, x...);
}

}  // namespace lk
