// A block takes a row: one pass for both log sums, a second one for the loss and dx. What shared
// memory does not hold of the row is read again, from the L2 cache. Where f64 is slow, exp in
// double is the bound.
#include "engine/kernels/kl_divergence.h"

#include "cuda/kept_row.h"

namespace lk {
namespace {

template <class T>
__device__ __forceinline__ double as_double(T x) {
  return static_cast<double>(static_cast<acc_t<T>>(x));
}

// exp of doubles added up beside their running maximum; of nothing: -inf and 0.
struct LogSum {
  double max = -INFINITY, sum = 0;
  template <class E>
  __device__ __forceinline__ void add(const E& e) {
    double top = max;
    for (const auto value : e.at) top = Maximum{}(as_double(value), top);
    if (top == -INFINITY) return;
    if (top != max) sum *= exp(max - top);
    for (const auto value : e.at) sum += exp(as_double(value) - top);
    max = top;
  }
  // Of the block's threads together.
  template <int Threads>
  __device__ __forceinline__ double of_block(double* scratch) const {
    const double top = block_reduce<Threads>(max, scratch, Maximum{});
    const double mine = max == -INFINITY ? 0.0 : sum * exp(max - top);
    return top + log(block_reduce<Threads>(mine, scratch, Sum{}));
  }
};

// Elements at a time: exp in double takes the registers that eight would need.
constexpr int kPack = 4;

// N > 1: the elements of x, t and dx lie alike, so that packs of all are aligned.
template <int N, int Threads, class T>
__global__ void __launch_bounds__(Threads, 512 / Threads)
    kl_divergence_kernel(T* dx, double* loss, const T* x, const T* t, int64_t rows, int64_t classes,
                         int room) {
  __shared__ double scratch[Threads / kWarp];
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const T* xi = x + i * classes;
    const KeptRow<T> of_x(xi, dynamic_shared<T>(), room),
        of_t(t + i * classes, dynamic_shared<T>() + room, room);
    LogSum x_sum, t_sum;
    __syncthreads();  // the row before has been used
    each_pack<N, Threads>(xi, classes, [&]<int K>(int64_t j) {
      x_sum.add(of_x.template read<K>(j));
      t_sum.add(of_t.template read<K>(j));
    });
    const double log_x = x_sum.of_block<Threads>(scratch), log_t = t_sum.of_block<Threads>(scratch);
    double total = 0;
    each_pack<N, Threads>(xi, classes, [&]<int K>(int64_t j) {
      const Elements<T, K> ex = of_x.template again<K>(j), et = of_t.template again<K>(j);
      Elements<T, K> out;
#pragma unroll
      for (int k = 0; k < K; ++k) {
        const double log_q = as_double(ex.at[k]) - log_x, log_p = as_double(et.at[k]) - log_t;
        const double p = exp(log_p);
        total += p * (log_p - log_q);
        out.at[k] = T(static_cast<float>(exp(log_q) - p));
      }
      store<K>(dx + i * classes + j, out);
    });
    total = block_reduce<Threads>(total, scratch, Sum{});
    if (threadIdx.x == 0) loss[i] = total;
  }
}

template <int N, int Threads, class T>
void launch_rows(Cuda cuda, T* dx, double* loss, const T* x, const T* t, int64_t rows,
                 int64_t classes) {
  const auto kernel = kl_divergence_kernel<N, Threads, T>;
  const size_t kept = bytes_to_keep(classes * static_cast<int64_t>(sizeof(T)), 2);
  allow_shared_memory(kernel, kept);
  launch(kernel, grid_for(rows), Threads, kept, cuda.stream, dx, loss, x, t, rows, classes,
         static_cast<int>(kept / 2 / sizeof(T)));
}

}  // namespace

template <class Isa, class T>
void kl_divergence(Isa cuda, T* dx, double* loss, const T* x, const T* t, int64_t rows,
                   int64_t classes) {
  if (rows == 0) return;
  const auto past = [](const T* p) { return reinterpret_cast<uintptr_t>(p) % 32; };
  const bool packed = past(x) == past(t) && past(x) == past(dx);
  with_row_threads<512>(2 * classes * sizeof(T), [&]<int Threads>() {
    packed ? launch_rows<kPack, Threads>(cuda, dx, loss, x, t, rows, classes)
           : launch_rows<1, Threads>(cuda, dx, loss, x, t, rows, classes);
  });
}

template void kl_divergence(Cuda, float*, double*, const float*, const float*, int64_t, int64_t);
template void kl_divergence(Cuda, bf16*, double*, const bf16*, const bf16*, int64_t, int64_t);

}  // namespace lk
