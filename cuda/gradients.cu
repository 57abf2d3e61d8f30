#include "engine/kernels/gradients.h"

#include <algorithm>

#include "cuda/sum_of.h"
#include "cuda/tensors.h"

namespace lk {
namespace {

constexpr int64_t kMostBlocks = 256;  // whatever the device, so that the bits are the same

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    square_sum_kernel(double* partial, Tensors<Gradient<float>> gradients) {
  __shared__ double scratch[kEachThreads / kWarp];
  double total = 0;
  const auto add = [&total](float x) { total += static_cast<double>(x) * static_cast<double>(x); };
  for_elements<N>(
      gradients,
      [&](const Gradient<float>& t, int64_t i) {
        const Elements<float, N> e = load<N>(t.g + i);
#pragma unroll
        for (int k = 0; k < N; ++k) add(e.at[k]);
      },
      [&](const Gradient<float>& t, int64_t i) { add(t.g[i]); });
  total = block_reduce<kEachThreads>(total, scratch, Sum{});
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

template <int N>
__global__ void __launch_bounds__(kEachThreads)
    scale_kernel(Tensors<Gradient<float>> gradients, float factor) {
  for_elements<N>(
      gradients,
      [&](const Gradient<float>& t, int64_t i) {
        Elements<float, N> e = load<N>(t.g + i);
#pragma unroll
        for (int k = 0; k < N; ++k) e.at[k] *= factor;
        store<N>(t.g + i, e);
      },
      [&](const Gradient<float>& t, int64_t i) { t.g[i] *= factor; });
}

bool packed(const Tensors<Gradient<float>>& gradients) {
  return std::all_of(gradients.at, gradients.at + gradients.count,
                     [](const Gradient<float>& t) { return aligned_16(t.g); });
}

}  // namespace

template <class Isa, class A>
void gradients_square_sum(Isa cuda, double* total, const Gradient<A>* gradients, int64_t count) {
  const Workspace<double> partial(cuda, (count / kMostTensors + 1) * kMostBlocks);
  int64_t sums = 0;
  for_tensors(gradients, count, [&](const Tensors<Gradient<A>>& some, int64_t chunks) {
    const int64_t blocks = std::min(chunks, kMostBlocks);
    launch(packed(some) ? square_sum_kernel<4> : square_sum_kernel<1>,
           static_cast<unsigned>(blocks), kEachThreads, 0, cuda.stream, partial.data() + sums,
           some);
    sums += blocks;
  });
  launch(sum_of_kernel<1, AsItIs, double>, 1, kEachThreads, 0, cuda.stream, AsItIs{}, total,
         static_cast<const double*>(partial.data()), sums);
}

template <class Isa, class A>
void gradients_scale(Isa cuda, const Gradient<A>* gradients, int64_t count, A factor) {
  for_tensors(gradients, count, [&](const Tensors<Gradient<A>>& some, int64_t chunks) {
    launch(packed(some) ? scale_kernel<4> : scale_kernel<1>, grid_for(chunks), kEachThreads, 0,
           cuda.stream, some, factor);
  });
}

template void gradients_square_sum(Cuda, double*, const Gradient<float>*, int64_t);
template void gradients_scale(Cuda, const Gradient<float>*, int64_t, float);

}  // namespace lk
