// Bound by memory: one pass over x, then one block over the blocks' sums.
#include "engine/kernels/square_sum.h"

#include "cuda/each.h"
#include "cuda/workspace.h"

namespace lk {
namespace {

template <int N, class T>
__global__ void __launch_bounds__(kEachThreads)
    square_sum_kernel(double* partial, const T* x, int64_t n) {
  __shared__ double scratch[kEachThreads / kWarp];
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
  double sum = 0;
  for (int64_t p = first; p < n / N; p += stride) {
    const Elements<T, N> e = load<N>(x + p * N);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const auto value = static_cast<double>(static_cast<float>(e.at[k]));
      sum += value * value;
    }
  }
  for (int64_t i = n / N * N + first; i < n; i += stride) {
    const auto value = static_cast<double>(static_cast<float>(x[i]));
    sum += value * value;
  }
  sum = block_reduce<kEachThreads>(sum, scratch, Sum{});
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kEachThreads)
    sum_kernel(double* sum, const double* partial, int count) {
  __shared__ double scratch[kEachThreads / kWarp];
  double mine = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kEachThreads) mine += partial[i];
  mine = block_reduce<kEachThreads>(mine, scratch, Sum{});
  if (threadIdx.x == 0) *sum = mine;
}

}  // namespace

template <class Isa, class T>
void square_sum(Isa cuda, double* sum, const T* x, int64_t n) {
  constexpr int N = kPackSize<T>;
  const bool packed = aligned_16(x);
  // The number of blocks fixes the tree, so it is the same on every device.
  const int64_t pieces = n / (packed ? N : 1) / kEachThreads + 1;
  const auto blocks = static_cast<unsigned>(pieces < 256 ? pieces : 256);
  const Workspace<double> partial(cuda, blocks);
  launch(packed ? square_sum_kernel<N, T> : square_sum_kernel<1, T>, blocks, kEachThreads, 0,
         cuda.stream, partial.data(), x, n);
  launch(sum_kernel, 1, kEachThreads, 0, cuda.stream, sum,
         static_cast<const double*>(partial.data()), static_cast<int>(blocks));
}

template void square_sum(Cuda, double*, const float*, int64_t);
template void square_sum(Cuda, double*, const bf16*, int64_t);

}  // namespace lk
