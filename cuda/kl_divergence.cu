// A block takes a row: one pass for both log sums, a second one for the loss and dx. Elements one
// by one: exp in double takes the registers that packs would need.
#include "engine/kernels/kl_divergence.h"

#include "cuda/each.h"

namespace lk {
namespace {

// exp of doubles added up beside their running maximum; of nothing: -inf and 0.
struct LogSum {
  double max = -INFINITY, sum = 0;
  __device__ __forceinline__ void add(double value) {
    if (value == -INFINITY) return;
    const double top = Maximum{}(value, max);
    sum = sum * exp(max - top) + exp(value - top);
    max = top;
  }
  // Of the block's threads together.
  __device__ __forceinline__ double of_block(double* scratch) const {
    const double top = block_reduce<kEachThreads>(max, scratch, Maximum{});
    const double mine = max == -INFINITY ? 0.0 : sum * exp(max - top);
    return top + log(block_reduce<kEachThreads>(mine, scratch, Sum{}));
  }
};

template <class T>
__device__ __forceinline__ double as_double(T x) {
  return static_cast<double>(static_cast<acc_t<T>>(x));
}

template <class T>
__global__ void __launch_bounds__(kEachThreads)
    kl_divergence_kernel(T* dx, double* loss, const T* x, const T* t, int64_t rows,
                         int64_t classes) {
  __shared__ double scratch[kEachThreads / kWarp];
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const T *xi = x + i * classes, *ti = t + i * classes;
    LogSum x_sum, t_sum;
    for (int64_t j = threadIdx.x; j < classes; j += kEachThreads) {
      x_sum.add(as_double(xi[j]));
      t_sum.add(as_double(ti[j]));
    }
    const double of_x = x_sum.of_block(scratch), of_t = t_sum.of_block(scratch);
    double total = 0;
    for (int64_t j = threadIdx.x; j < classes; j += kEachThreads) {
      const double log_q = as_double(xi[j]) - of_x, log_p = as_double(ti[j]) - of_t;
      const double p = exp(log_p);
      total += p * (log_p - log_q);
      dx[i * classes + j] = T(static_cast<float>(exp(log_q) - p));
    }
    total = block_reduce<kEachThreads>(total, scratch, Sum{});
    if (threadIdx.x == 0) loss[i] = total;
  }
}

}  // namespace

template <class Isa, class T>
void kl_divergence(Isa cuda, T* dx, double* loss, const T* x, const T* t, int64_t rows,
                   int64_t classes) {
  if (rows == 0) return;
  launch(kl_divergence_kernel<T>, grid_for(rows), kEachThreads, 0, cuda.stream, dx, loss, x, t,
         rows, classes);
}

template void kl_divergence(Cuda, float*, double*, const float*, const float*, int64_t, int64_t);
template void kl_divergence(Cuda, bf16*, double*, const bf16*, const bf16*, int64_t, int64_t);

}  // namespace lk
