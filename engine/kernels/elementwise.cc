#include "engine/kernels/elementwise.h"

#include "engine/cpu.h"
#include "engine/kernels/math.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// y[i] = T(f(i)) over all threads.
template <class Isa, class T, class F>
void each(T* y, int64_t n, F f) {
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = T(f(i));
  });
}

template <class Isa, class T, class F>
void each_row(T* y, int64_t rows, int64_t cols, F f) {
  parallel_for(rows, 1 + (1 << 14) / (cols + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < cols; ++j) y[i * cols + j] = T(f(i * cols + j, j));
  });
}

}  // namespace

template <class Isa, class T>
void add_forward(Isa, T* y, const T* a, const T* b, int64_t n) {
  using A = acc_t<T>;
  each<Isa>(y, n, [=](int64_t i) { return static_cast<A>(a[i]) + static_cast<A>(b[i]); });
}

template <class Isa, class T>
void mul_forward(Isa, T* y, const T* a, const T* b, int64_t n) {
  using A = acc_t<T>;
  each<Isa>(y, n, [=](int64_t i) { return static_cast<A>(a[i]) * static_cast<A>(b[i]); });
}

template <class Isa, class T>
void scale_forward(Isa, T* y, const T* x, acc_t<T> factor, int64_t n) {
  each<Isa>(y, n, [=](int64_t i) { return static_cast<acc_t<T>>(x[i]) * factor; });
}

template <class Isa, class T>
void add_row_forward(Isa, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols) {
  each_row<Isa>(y, rows, cols,
                [=](int64_t i, int64_t j) { return static_cast<acc_t<T>>(x[i]) + row[j]; });
}

template <class Isa, class T>
void mul_row_forward(Isa, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols) {
  each_row<Isa>(y, rows, cols,
                [=](int64_t i, int64_t j) { return static_cast<acc_t<T>>(x[i]) * row[j]; });
}

template <class Isa, class T>
void mul_column_forward(Isa, T* y, const T* x, const acc_t<T>* column, int64_t rows, int64_t cols) {
  parallel_for(rows, 1 + (1 << 14) / (cols + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < cols; ++j)
        y[i * cols + j] = T(static_cast<acc_t<T>>(x[i * cols + j]) * column[i]);
  });
}

template <class Isa, class T>
void swiglu_forward(Isa, T* y, const T* gate, const T* up, int64_t n) {
  using A = acc_t<T>;
  each<Isa>(y, n, [=](int64_t i) {
    const A g = static_cast<A>(gate[i]);
    return g * math::sigmoid(g) * static_cast<A>(up[i]);
  });
}

template <class Isa, class T>
void swiglu_backward(Isa, T* dgate, T* dup, const T* dy, const T* gate, const T* up, int64_t n) {
  using A = acc_t<T>;
  const auto to_gate = [](A d, A g, A u, A s) { return d * u * s * (A(1) + g * (A(1) - s)); };
  if (dgate && dup) {
    parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
      constexpr int64_t kChunk = 128;  // through buffers of its own the loop vectorises
      A to_g[kChunk], to_u[kChunk];
      for (int64_t at = begin; at < end; at += kChunk) {
        const int64_t m = end - at < kChunk ? end - at : kChunk;
        for (int64_t i = 0; i < m; ++i) {
          const A d = static_cast<A>(dy[at + i]), g = static_cast<A>(gate[at + i]),
                  s = math::sigmoid(g);
          to_g[i] = to_gate(d, g, static_cast<A>(up[at + i]), s);
          to_u[i] = d * g * s;
        }
        for (int64_t i = 0; i < m; ++i) dgate[at + i] = T(to_g[i]);
        for (int64_t i = 0; i < m; ++i) dup[at + i] = T(to_u[i]);
      }
    });
  } else if (dgate) {
    each<Isa>(dgate, n, [=](int64_t i) {
      const A g = static_cast<A>(gate[i]);
      return to_gate(static_cast<A>(dy[i]), g, static_cast<A>(up[i]), math::sigmoid(g));
    });
  } else if (dup) {
    each<Isa>(dup, n, [=](int64_t i) {
      const A g = static_cast<A>(gate[i]);
      return static_cast<A>(dy[i]) * g * math::sigmoid(g);
    });
  }
}

#define LK_ELEMENTWISE(T)                                                                    \
  template void add_forward(LK_ISA, T*, const T*, const T*, int64_t);                        \
  template void mul_forward(LK_ISA, T*, const T*, const T*, int64_t);                        \
  template void scale_forward(LK_ISA, T*, const T*, acc_t<T>, int64_t);                      \
  template void add_row_forward(LK_ISA, T*, const T*, const acc_t<T>*, int64_t, int64_t);    \
  template void mul_row_forward(LK_ISA, T*, const T*, const acc_t<T>*, int64_t, int64_t);    \
  template void mul_column_forward(LK_ISA, T*, const T*, const acc_t<T>*, int64_t, int64_t); \
  template void swiglu_forward(LK_ISA, T*, const T*, const T*, int64_t);                     \
  template void swiglu_backward(LK_ISA, T*, T*, const T*, const T*, const T*, int64_t);
LK_ELEMENTWISE(float)
LK_ELEMENTWISE(bf16)
LK_ELEMENTWISE(double)

}  // namespace lk
