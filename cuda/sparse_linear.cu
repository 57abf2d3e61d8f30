// A thread makes one number. Lanes take neighbouring outputs of a token, or neighbouring values of
// W, whose row of x (and of dy) they share through the cache.
#include "engine/kernels/sparse_linear.h"

#include "cuda/each.h"

namespace lk {
namespace {

template <class T>
__global__ void __launch_bounds__(kEachThreads)
    sparse_linear_forward_kernel(T* y, const T* x, const float* values, SparseRows w,
                                 int64_t tokens, int64_t out, int64_t in) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x;
       at < tokens * out; at += stride) {
    const int64_t o = at % out;
    const T* from = x + at / out * in;
    float total = 0;
    for (int32_t i = w.starts[o]; i < w.starts[o + 1]; ++i)
      total += values[w.which[i]] * static_cast<float>(from[w.columns[i]]);
    y[at] = T(total);
  }
}

template <class T>
__global__ void __launch_bounds__(kEachThreads)
    sparse_linear_values_kernel(float* dvalues, const T* dy, const T* x, const int32_t* rows,
                                const int32_t* columns, int64_t n, int64_t tokens, int64_t out,
                                int64_t in) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kEachThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kEachThreads + threadIdx.x; i < n;
       i += stride) {
    const int64_t row = rows[i], column = columns[i];
    float total = 0;
    for (int64_t t = 0; t < tokens; ++t)
      total += static_cast<float>(dy[t * out + row]) * static_cast<float>(x[t * in + column]);
    dvalues[i] = total;
  }
}

}  // namespace

template <class Isa, class T>
void sparse_linear_forward(Isa cuda, T* y, const T* x, const acc_t<T>* values, const SparseRows& w,
                           int64_t tokens, int64_t out, int64_t in) {
  if (tokens * out > 0)
    launch(sparse_linear_forward_kernel<T>, grid_for_threads(tokens * out), kEachThreads, 0,
           cuda.stream, y, x, values, w, tokens, out, in);
}

template <class Isa, class T>
void sparse_linear_values(Isa cuda, acc_t<T>* dvalues, const T* dy, const T* x, const int32_t* rows,
                          const int32_t* columns, int64_t n, int64_t tokens, int64_t out,
                          int64_t in) {
  if (n > 0)
    launch(sparse_linear_values_kernel<T>, grid_for_threads(n), kEachThreads, 0, cuda.stream,
           dvalues, dy, x, rows, columns, n, tokens, out, in);
}

#define LK_SPARSE_LINEAR(T)                                                                \
  template void sparse_linear_forward(Cuda, T*, const T*, const float*, const SparseRows&, \
                                      int64_t, int64_t, int64_t);                          \
  template void sparse_linear_values(Cuda, float*, const T*, const T*, const int32_t*,     \
                                     const int32_t*, int64_t, int64_t, int64_t, int64_t);
LK_SPARSE_LINEAR(float)
LK_SPARSE_LINEAR(bf16)

}  // namespace lk
