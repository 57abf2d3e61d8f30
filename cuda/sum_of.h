// The sum of f(x[i]) in double, by a tree that is the same on every device: one pass over x, then
// one block over the blocks' sums. Bound by memory.
#pragma once

#include "cuda/each.h"
#include "cuda/workspace.h"

namespace lk {

struct AsItIs {
  __device__ double operator()(double x) const { return x; }
};

template <int N, class F, class T>
__global__ void __launch_bounds__(kEachThreads)
    sum_of_kernel(F f, double* partial, const T* x, int64_t n) {
  __shared__ double scratch[kEachThreads / kWarp];
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
  double total = 0;
  for (int64_t p = first; p < n / N; p += stride) {
    const Elements<T, N> e = load<N>(x + p * N);
#pragma unroll
    for (int k = 0; k < N; ++k) total += f(static_cast<double>(static_cast<acc_t<T>>(e.at[k])));
  }
  for (int64_t i = n / N * N + first; i < n; i += stride)
    total += f(static_cast<double>(static_cast<acc_t<T>>(x[i])));
  total = block_reduce<kEachThreads>(total, scratch, Sum{});
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

// f: a callable struct, double -> double.
template <class F, class T>
void sum_of(Cuda cuda, F f, double* total, const T* x, int64_t n) {
  constexpr int N = kPackSize<T>;
  const bool packed = aligned_16(x);
  const int64_t pieces = n / (packed ? N : 1) / kEachThreads + 1;
  const auto blocks = static_cast<unsigned>(pieces < 256 ? pieces : 256);
  const Workspace<double> partial(cuda, blocks);
  launch(packed ? sum_of_kernel<N, F, T> : sum_of_kernel<1, F, T>, blocks, kEachThreads, 0,
         cuda.stream, f, partial.data(), x, n);
  launch(sum_of_kernel<1, AsItIs, double>, 1, kEachThreads, 0, cuda.stream, AsItIs{}, total,
         static_cast<const double*>(partial.data()), static_cast<int64_t>(blocks));
}

}  // namespace lk
