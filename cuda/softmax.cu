// A warp takes a row. Rows of up to four packs a lane stay in registers, so that memory is read
// once; longer ones are read again for the second pass.
#include "engine/kernels/softmax.h"

#include "cuda/each.h"
#include "cuda/max_and_sum.h"

namespace lk {
namespace {

constexpr int kKept = 4;

// f(k, j) for the packs that begin at the columns j of this lane; k counts them where they are
// kept.
template <int N, bool Kept, class F>
__device__ __forceinline__ void each_pack(int64_t width, F f) {
  const int64_t lane = threadIdx.x % kWarp;
  if constexpr (Kept) {
#pragma unroll
    for (int k = 0; k < kKept; ++k)
      if (const int64_t j = (lane + k * kWarp) * N; j < width) f(k, j);
  } else {
    for (int64_t j = lane * N; j < width; j += kWarp * N) f(0, j);
  }
}

template <class F>
__device__ __forceinline__ void each_row_of_warp(int64_t rows, F f) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * (kEachThreads / kWarp);
  for (int64_t r = (static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x) / kWarp;
       r < rows; r += stride)
    f(r);
}

template <int N, bool Kept, class T>
__global__ void __launch_bounds__(kEachThreads)
    softmax_forward_kernel(T* y, const T* x, int64_t rows, int64_t width) {
  each_row_of_warp(rows, [&](int64_t r) {
    Elements<T, N> kept[Kept ? kKept : 1];
    MaxAndSum mine{-INFINITY, 0.0f};
    each_pack<N, Kept>(width, [&](int k, int64_t j) {
      kept[k] = load<N>(x + r * width + j);
      mine.add(kept[k]);
    });
    const MaxAndSum all = warp_reduce(mine, Merge{});
    const float inverse = 1.0f / all.sum;
    each_pack<N, Kept>(width, [&](int k, int64_t j) {
      Elements<T, N> e;
      if constexpr (Kept)
        e = kept[k];
      else
        e = load<N>(x + r * width + j);
#pragma unroll
      for (int i = 0; i < N; ++i)
        e.at[i] = T(math::exp(static_cast<float>(e.at[i]) - all.max) * inverse);
      store<N>(y + r * width + j, e);
    });
  });
}

template <int N, bool Kept, class T>
__global__ void __launch_bounds__(kEachThreads)
    softmax_backward_kernel(T* dx, const T* dy, const T* y, int64_t rows, int64_t width) {
  each_row_of_warp(rows, [&](int64_t r) {
    Elements<T, N> p[Kept ? kKept : 1], g[Kept ? kKept : 1];
    float dot = 0;
    const auto read = [&](int k, int64_t j) {
      p[k] = load<N>(y + r * width + j);
      g[k] = load<N>(dy + r * width + j);
    };
    each_pack<N, Kept>(width, [&](int k, int64_t j) {
      read(k, j);
#pragma unroll
      for (int i = 0; i < N; ++i)
        dot += static_cast<float>(p[k].at[i]) * static_cast<float>(g[k].at[i]);
    });
    dot = warp_reduce(dot, Sum{});
    each_pack<N, Kept>(width, [&](int k, int64_t j) {
      if constexpr (!Kept) read(k, j);
      Elements<T, N> e;
#pragma unroll
      for (int i = 0; i < N; ++i)
        e.at[i] = T(static_cast<float>(p[k].at[i]) * (static_cast<float>(g[k].at[i]) - dot));
      store<N>(dx + r * width + j, e);
    });
  });
}

// Calls f<N, Kept>() as the width and the operands' alignment allow.
template <class T, class F>
void with_packs(int64_t width, bool aligned, F f) {
  constexpr int N = kPackSize<T>;
  if (aligned && width % N == 0)
    return width <= kWarp * N * kKept ? f.template operator()<N, true>()
                                      : f.template operator()<N, false>();
  return width <= kWarp * kKept ? f.template operator()<1, true>()
                                : f.template operator()<1, false>();
}

}  // namespace

template <class Isa, class T>
void softmax_forward(Isa cuda, T* y, const T* x, int64_t rows, int64_t width) {
  if (rows == 0 || width == 0) return;
  with_packs<T>(width, aligned_16(x) && aligned_16(y), [&]<int N, bool Kept>() {
    launch(softmax_forward_kernel<N, Kept, T>, grid_for_threads(rows * kWarp), kEachThreads, 0,
           cuda.stream, y, x, rows, width);
  });
}

template <class Isa, class T>
void softmax_backward(Isa cuda, T* dx, const T* dy, const T* y, int64_t rows, int64_t width) {
  if (rows == 0 || width == 0) return;
  with_packs<T>(width, aligned_16(dx) && aligned_16(dy) && aligned_16(y), [&]<int N, bool Kept>() {
    launch(softmax_backward_kernel<N, Kept, T>, grid_for_threads(rows * kWarp), kEachThreads, 0,
           cuda.stream, dx, dy, y, rows, width);
  });
}

#define LK_SOFTMAX(T)                                                  \
  template void softmax_forward(Cuda, T*, const T*, int64_t, int64_t); \
  template void softmax_backward(Cuda, T*, const T*, const T*, int64_t, int64_t);
LK_SOFTMAX(float)
LK_SOFTMAX(bf16)

}  // namespace lk
