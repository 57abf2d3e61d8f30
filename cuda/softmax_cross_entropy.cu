// A block takes a row: one pass for the maximum and the sum together, a second one that writes dz.
// Of a large vocabulary's row, what shared memory does not hold is read again, from the L2 cache.
#include "engine/kernels/softmax_cross_entropy.h"

#include "cuda/kept_row.h"
#include "cuda/max_and_sum.h"

namespace lk {
namespace {

// N > 1: the elements of dz lie as those of z, so that packs of both are aligned.
template <int N, int Threads, class G, class T>
__global__ void __launch_bounds__(Threads)
    softmax_cross_entropy_kernel(G* dz, double* loss, const T* z, const int32_t* labels,
                                 int64_t rows, int64_t classes, int room) {
  __shared__ MaxAndSum scratch[Threads / kWarp];
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const T* zi = z + i * classes;
    const KeptRow<T> row(zi, dynamic_shared<T>(), room);
    G* di = dz ? dz + i * classes : nullptr;
    const int32_t label = labels[i];
    MaxAndSum all{0.0f, 1.0f};
    float at_label = 0;
    if (label != -100) {
      __syncthreads();  // the row before has been used
      MaxAndSum mine{-INFINITY, 0.0f};
      each_pack<N, Threads>(zi, classes,
                            [&]<int K>(int64_t j) { mine.add(row.template read<K>(j)); });
      all = block_reduce<Threads>(mine, scratch, Merge{});
      at_label = static_cast<float>(zi[label]);
    }
    if (threadIdx.x == 0)
      loss[i] = label == -100 ? 0.0
                              : log(static_cast<double>(all.sum)) + static_cast<double>(all.max) -
                                    static_cast<double>(at_label);
    if (!di) continue;
    if (label != -100) __syncthreads();  // z may be dz: thread 0 has read the label's element
    const float inverse = 1.0f / all.sum;
    each_pack<N, Threads>(zi, classes, [&]<int K>(int64_t j) {
      Elements<G, K> out{};
      if (label != -100) {
        const Elements<T, K> e = row.template again<K>(j);
#pragma unroll
        for (int k = 0; k < K; ++k) {
          const float p = math::exp(static_cast<float>(e.at[k]) - all.max) * inverse;
          out.at[k] = G(j + k == label ? p - 1.0f : p);
        }
      }
      store<K>(di + j, out);
    });
  }
}

template <int N, int Threads, class G, class T>
void launch_rows(Cuda cuda, G* dz, double* loss, const T* z, const int32_t* labels, int64_t rows,
                 int64_t classes) {
  const auto kernel = softmax_cross_entropy_kernel<N, Threads, G, T>;
  const size_t kept = dz ? bytes_to_keep(classes * static_cast<int64_t>(sizeof(T)), 1) : 0;
  allow_shared_memory(kernel, kept);
  launch(kernel, grid_for(rows), Threads, kept, cuda.stream, dz, loss, z, labels, rows, classes,
         static_cast<int>(kept / sizeof(T)));
}

}  // namespace

template <class Isa, class G, class T>
void softmax_cross_entropy(Isa cuda, G* dz, double* loss, const T* z, const int32_t* labels,
                           int64_t rows, int64_t classes) {
  if (rows == 0) return;
  // With dz of another type or alignment, packs of z and dz do not fall together.
  const bool packed = !dz || (sizeof(G) == sizeof(T) && reinterpret_cast<uintptr_t>(dz) % 32 ==
                                                            reinterpret_cast<uintptr_t>(z) % 32);
  with_row_threads<1024>(classes * sizeof(T), [&]<int Threads>() {
    packed ? launch_rows<kPackSize<T>, Threads>(cuda, dz, loss, z, labels, rows, classes)
           : launch_rows<1, Threads>(cuda, dz, loss, z, labels, rows, classes);
  });
}

template void softmax_cross_entropy(Cuda, float*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(Cuda, bf16*, double*, const float*, const int32_t*, int64_t,
                                    int64_t);
template void softmax_cross_entropy(Cuda, bf16*, double*, const bf16*, const int32_t*, int64_t,
                                    int64_t);

}  // namespace lk
