// A block takes a row: one pass for the maximum and the sum together, a second one that writes dz.
// A row of a large vocabulary does not fit in registers; the second read comes from the L2 cache.
#include "engine/kernels/softmax_cross_entropy.h"

#include "cuda/each.h"
#include "cuda/max_and_sum.h"

namespace lk {
namespace {

constexpr int kThreads = 256;

// f(j, pack) over the packs of a row that begins anywhere: elements one by one up to the first
// sector of 32 bytes and after the last pack.
template <int N, class T, class F>
__device__ __forceinline__ void each_pack(const T* row, int64_t count, F f) {
  int64_t head = 0;
  if constexpr (N > 1) {
    const auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(row) % 32 / sizeof(T));
    head = (2 * N - past) % (2 * N);
    if (head > count) head = count;
    if (threadIdx.x < head) f(static_cast<int64_t>(threadIdx.x), load<1>(row + threadIdx.x));
  }
  const int64_t packs = (count - head) / N;
  for (int64_t p = threadIdx.x; p < packs; p += kThreads)
    f(head + p * N, load<N>(row + head + p * N));
  for (int64_t j = head + packs * N + threadIdx.x; j < count; j += kThreads) f(j, load<1>(row + j));
}

// N > 1: the elements of dz lie as those of z, so that packs of both are aligned.
template <int N, class G, class T>
__global__ void __launch_bounds__(kThreads)
    softmax_cross_entropy_kernel(G* dz, double* loss, const T* z, const int32_t* labels,
                                 int64_t rows, int64_t classes) {
  __shared__ MaxAndSum scratch[kThreads / kWarp];
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const T* zi = z + i * classes;
    G* di = dz ? dz + i * classes : nullptr;
    const int32_t label = labels[i];
    MaxAndSum all{0.0f, 1.0f};
    float at_label = 0;
    if (label != -100) {
      MaxAndSum mine{-INFINITY, 0.0f};
      each_pack<N>(zi, classes, [&](int64_t, const auto& e) { mine.add(e); });
      all = block_reduce<kThreads>(mine, scratch, Merge{});
      at_label = static_cast<float>(zi[label]);
    }
    if (threadIdx.x == 0)
      loss[i] = label == -100 ? 0.0
                              : log(static_cast<double>(all.sum)) + static_cast<double>(all.max) -
                                    static_cast<double>(at_label);
    if (!di) continue;
    if (label != -100) __syncthreads();  // z may be dz: thread 0 has read the label's element
    const float inverse = 1.0f / all.sum;
    each_pack<N>(zi, classes, [&](int64_t j, const auto& e) {
      constexpr int kCount = sizeof(e.at) / sizeof(T);
      Elements<G, kCount> out;
#pragma unroll
      for (int k = 0; k < kCount; ++k) {
        const float p =
            label == -100 ? 0.0f : math::exp(static_cast<float>(e.at[k]) - all.max) * inverse;
        out.at[k] = G(j + k == label ? p - 1.0f : p);
      }
      store<kCount>(di + j, out);
    });
  }
}

}  // namespace

template <class Isa, class G, class T>
void softmax_cross_entropy(Isa cuda, G* dz, double* loss, const T* z, const int32_t* labels,
                           int64_t rows, int64_t classes) {
  if (rows == 0) return;
  // With dz of another type or alignment, packs of z and dz do not fall together.
  const bool packed = !dz || (sizeof(G) == sizeof(T) && reinterpret_cast<uintptr_t>(dz) % 32 ==
                                                            reinterpret_cast<uintptr_t>(z) % 32);
  launch(packed ? softmax_cross_entropy_kernel<kPackSize<T>, G, T>
                : softmax_cross_entropy_kernel<1, G, T>,
         grid_for(rows), kThreads, 0, cuda.stream, dz, loss, z, labels, rows, classes);
}

template void softmax_cross_entropy(Cuda, float*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(Cuda, bf16*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(Cuda, bf16*, double*, const bf16*, const int32_t*, int64_t,
                                    int64_t);

}  // namespace lk
