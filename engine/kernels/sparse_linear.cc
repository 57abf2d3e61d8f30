#include "engine/kernels/sparse_linear.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class T>
void sparse_linear_forward(Isa, T* y, const T* x, const acc_t<T>* values, const SparseRows& rows,
                           int64_t tokens, int64_t out, int64_t in) {
  using A = acc_t<T>;
  const SparseRows w = rows;
  parallel_for(tokens, 1 + (1 << 12) / (out + 1), [=](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      for (int64_t o = 0; o < out; ++o) {
        A total = 0;
        for (int32_t i = w.starts[o]; i < w.starts[o + 1]; ++i)
          total += values[w.which[i]] * static_cast<A>(x[t * in + w.columns[i]]);
        y[t * out + o] = T(total);
      }
  });
}

template <class Isa, class T>
void sparse_linear_values(Isa, acc_t<T>* dvalues, const T* dy, const T* x, const int32_t* rows,
                          const int32_t* columns, int64_t n, int64_t tokens, int64_t out,
                          int64_t in) {
  using A = acc_t<T>;
  parallel_for(n, 256, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      A total = 0;
      for (int64_t t = 0; t < tokens; ++t)
        total += static_cast<A>(dy[t * out + rows[i]]) * static_cast<A>(x[t * in + columns[i]]);
      dvalues[i] = total;
    }
  });
}

#define LK_SPARSE_LINEAR(T)                                                                     \
  template void sparse_linear_forward(LK_ISA, T*, const T*, const acc_t<T>*, const SparseRows&, \
                                      int64_t, int64_t, int64_t);                               \
  template void sparse_linear_values(LK_ISA, acc_t<T>*, const T*, const T*, const int32_t*,     \
                                     const int32_t*, int64_t, int64_t, int64_t, int64_t);
LK_SPARSE_LINEAR(float)
LK_SPARSE_LINEAR(bf16)
LK_SPARSE_LINEAR(double)

}  // namespace lk
