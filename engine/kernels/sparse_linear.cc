#include "engine/kernels/sparse_linear.h"

#include "engine/cpu.h"
#include "engine/kernels/panel.h"
#include "engine/kernels/sum_of.h"
#include "engine/kernels/transpose.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// So many tokens at a time are turned, so that what a value of W multiplies lies side by side.
constexpr int64_t kTokens = 128;

// Not inlined: GCC would merge the loops of two values, and make no vectors of them.
template <class Isa, class A, class T>
[[gnu::noinline]] void add_product(A* __restrict sums, A value, const T* __restrict x, int64_t n) {
  for (int64_t k = 0; k < n; ++k) sums[k] += value * static_cast<A>(x[k]);
}

}  // namespace

template <class Isa, class T>
void sparse_linear_forward(Isa isa, T* y, const T* x, const acc_t<T>* values,
                           const SparseRows& rows, int64_t tokens, int64_t out, int64_t in) {
  using A = acc_t<T>;
  Panel<Isa, T> x_panel(in * kTokens), y_panel(out * kTokens);
  T *xt = x_panel.get(), *yt = y_panel.get();  // [in, n], [out, n]
  const SparseRows w = rows;
  for (int64_t t = 0; t < tokens; t += kTokens) {
    const int64_t n = std::min(kTokens, tokens - t);
    transpose(isa, xt, x + t * in, 1, n, in);
    parallel_for(out, 1 + (1 << 12) / n, [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        A sums[kTokens] = {};
        for (int32_t i = w.starts[o]; i < w.starts[o + 1]; ++i)
          add_product<Isa>(sums, values[w.which[i]], xt + w.columns[i] * n, n);
        for (int64_t k = 0; k < n; ++k) yt[o * n + k] = T(sums[k]);
      }
    });
    transpose(isa, y + t * out, yt, 1, out, n);
  }
}

template <class Isa, class T>
void sparse_linear_values(Isa isa, acc_t<T>* dvalues, const T* dy, const T* x, const int32_t* rows,
                          const int32_t* columns, int64_t count, int64_t tokens, int64_t out,
                          int64_t in) {
  using A = acc_t<T>;
  Panel<Isa, T> x_panel(in * kTokens), dy_panel(out * kTokens);
  T *xt = x_panel.get(), *dyt = dy_panel.get();  // [in, n], [out, n]
  std::fill_n(dvalues, count, A(0));
  for (int64_t t = 0; t < tokens; t += kTokens) {
    const int64_t n = std::min(kTokens, tokens - t);
    transpose(isa, xt, x + t * in, 1, n, in);
    transpose(isa, dyt, dy + t * out, 1, n, out);
    parallel_for(count, 1 + (1 << 12) / n, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T *of_x = xt + columns[i] * n, *of_dy = dyt + rows[i] * n;
        dvalues[i] += sum_of<A>(
            n, [=](int64_t k) { return static_cast<A>(of_dy[k]) * static_cast<A>(of_x[k]); });
      }
    });
  }
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
