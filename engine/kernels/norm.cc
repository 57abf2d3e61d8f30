#include "engine/kernels/norm.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/kernels/sum_of.h"
#include "engine/parallel.h"

namespace lk {
namespace {

// Column sums of terms f(i, j) over all rows: tiles of columns in parallel, rows in order.
template <class Isa, class A, class F>
void column_sums(A* out, int64_t rows, int64_t d, F f) {
  constexpr int64_t kTile = 64;
  parallel_for((d + kTile - 1) / kTile, 1 + (1 << 13) / (rows * kTile + 1),
               [=](int64_t begin, int64_t end) {
                 for (int64_t tile = begin; tile < end; ++tile) {
                   const int64_t j0 = tile * kTile, n = j0 + kTile < d ? kTile : d - j0;
                   A partial[kTile] = {};
                   for (int64_t i = 0; i < rows; ++i)
                     for (int64_t j = 0; j < n; ++j) partial[j] += f(i, j0 + j);
                   for (int64_t j = 0; j < n; ++j) out[j0 + j] = partial[j];
                 }
               });
}

int64_t row_grain(int64_t d) { return 1 + (1 << 13) / (d + 1); }

template <class Isa, class T, class A>
void layer_norm_row(T* y, A* mean, A* rstd, const T* x, const A* gain, const A* bias, int64_t d,
                    A eps) {
  const A m = sum_of<A>(d, [=](int64_t j) { return static_cast<A>(x[j]); }) / static_cast<A>(d);
  const A var = sum_of<A>(d,
                          [=](int64_t j) {
                            const A c = static_cast<A>(x[j]) - m;
                            return c * c;
                          }) /
                static_cast<A>(d);
  const A r = A(1) / std::sqrt(var + eps);
  for (int64_t j = 0; j < d; ++j) y[j] = T((static_cast<A>(x[j]) - m) * r * gain[j] + bias[j]);
  *mean = m;
  *rstd = r;
}

template <class Isa, class T, class A>
void rms_norm_row(T* y, A* rstd, const T* x, const A* gain, int64_t d, A eps) {
  const A square =
      sum_of<A>(d, [=](int64_t j) { return static_cast<A>(x[j]) * static_cast<A>(x[j]); });
  const A r = A(1) / std::sqrt(square / static_cast<A>(d) + eps);
  for (int64_t j = 0; j < d; ++j) y[j] = T(static_cast<A>(x[j]) * r * gain[j]);
  *rstd = r;
}

// f(i) for each row; what it writes of a row is still in the cache when it reads it.
template <class Isa, class F>
void each_row(int64_t rows, int64_t d, F f) {
  parallel_for(rows, row_grain(d), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

template <class Isa, class T>
void add_row(T* sum, const T* a, const T* b, int64_t d) {
  using A = acc_t<T>;
  for (int64_t j = 0; j < d; ++j) sum[j] = T(static_cast<A>(a[j]) + static_cast<A>(b[j]));
}

}  // namespace

template <class Isa, class T>
void layer_norm_forward(Isa, T* y, acc_t<T>* mean, acc_t<T>* rstd, const T* x, const acc_t<T>* gain,
                        const acc_t<T>* bias, int64_t rows, int64_t d, acc_t<T> eps) {
  each_row<Isa>(rows, d, [=](int64_t i) {
    layer_norm_row<Isa>(y + i * d, mean + i, rstd + i, x + i * d, gain, bias, d, eps);
  });
}

template <class Isa, class T>
void add_layer_norm_forward(Isa, T* y, T* sum, acc_t<T>* mean, acc_t<T>* rstd, const T* a,
                            const T* b, const acc_t<T>* gain, const acc_t<T>* bias, int64_t rows,
                            int64_t d, acc_t<T> eps) {
  each_row<Isa>(rows, d, [=](int64_t i) {
    T* x = sum + i * d;
    add_row<Isa>(x, a + i * d, b + i * d, d);
    layer_norm_row<Isa>(y + i * d, mean + i, rstd + i, static_cast<const T*>(x), gain, bias, d,
                        eps);
  });
}

template <class Isa, class T>
void layer_norm_backward(Isa, T* dx, acc_t<T>* dgain, acc_t<T>* dbias, const T* dy, const T* x,
                         const acc_t<T>* mean, const acc_t<T>* rstd, const acc_t<T>* gain,
                         int64_t rows, int64_t d) {
  using A = acc_t<T>;
  if (dx)
    parallel_for(rows, row_grain(d), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T *xi = x + i * d, *gi = dy + i * d;
        const A m = mean[i], r = rstd[i];
        const A g_mean = sum_of<A>(d, [=](int64_t j) { return static_cast<A>(gi[j]) * gain[j]; }) /
                         static_cast<A>(d);
        const A gx_mean =
            sum_of<A>(d,
                      [=](int64_t j) {
                        return static_cast<A>(gi[j]) * gain[j] * (static_cast<A>(xi[j]) - m) * r;
                      }) /
            static_cast<A>(d);
        for (int64_t j = 0; j < d; ++j)
          dx[i * d + j] = T(r * (static_cast<A>(gi[j]) * gain[j] - g_mean -
                                 (static_cast<A>(xi[j]) - m) * r * gx_mean));
      }
    });
  if (dgain)
    column_sums<Isa>(dgain, rows, d, [=](int64_t i, int64_t j) {
      return static_cast<A>(dy[i * d + j]) * (static_cast<A>(x[i * d + j]) - mean[i]) * rstd[i];
    });
  if (dbias)
    column_sums<Isa>(dbias, rows, d,
                     [=](int64_t i, int64_t j) { return static_cast<A>(dy[i * d + j]); });
}

template <class Isa, class T>
void rms_norm_forward(Isa, T* y, acc_t<T>* rstd, const T* x, const acc_t<T>* gain, int64_t rows,
                      int64_t d, acc_t<T> eps) {
  each_row<Isa>(
      rows, d, [=](int64_t i) { rms_norm_row<Isa>(y + i * d, rstd + i, x + i * d, gain, d, eps); });
}

template <class Isa, class T>
void add_rms_norm_forward(Isa, T* y, T* sum, acc_t<T>* rstd, const T* a, const T* b,
                          const acc_t<T>* gain, int64_t rows, int64_t d, acc_t<T> eps) {
  each_row<Isa>(rows, d, [=](int64_t i) {
    T* x = sum + i * d;
    add_row<Isa>(x, a + i * d, b + i * d, d);
    rms_norm_row<Isa>(y + i * d, rstd + i, static_cast<const T*>(x), gain, d, eps);
  });
}

template <class Isa, class T>
void rms_norm_backward(Isa, T* dx, acc_t<T>* dgain, const T* dy, const T* x, const acc_t<T>* rstd,
                       const acc_t<T>* gain, int64_t rows, int64_t d) {
  using A = acc_t<T>;
  if (dx)
    parallel_for(rows, row_grain(d), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T *xi = x + i * d, *gi = dy + i * d;
        const A r = rstd[i];
        const A gx = sum_of<A>(
            d, [=](int64_t j) { return static_cast<A>(gi[j]) * gain[j] * static_cast<A>(xi[j]); });
        const A k = gx * r * r * r / static_cast<A>(d);
        for (int64_t j = 0; j < d; ++j)
          dx[i * d + j] = T(r * static_cast<A>(gi[j]) * gain[j] - k * static_cast<A>(xi[j]));
      }
    });
  if (dgain)
    column_sums<Isa>(dgain, rows, d, [=](int64_t i, int64_t j) {
      return static_cast<A>(dy[i * d + j]) * static_cast<A>(x[i * d + j]) * rstd[i];
    });
}

#define LK_NORM(T)                                                                               \
  template void layer_norm_forward(LK_ISA, T*, acc_t<T>*, acc_t<T>*, const T*, const acc_t<T>*,  \
                                   const acc_t<T>*, int64_t, int64_t, acc_t<T>);                 \
  template void layer_norm_backward(LK_ISA, T*, acc_t<T>*, acc_t<T>*, const T*, const T*,        \
                                    const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, int64_t,  \
                                    int64_t);                                                    \
  template void add_layer_norm_forward(LK_ISA, T*, T*, acc_t<T>*, acc_t<T>*, const T*, const T*, \
                                       const acc_t<T>*, const acc_t<T>*, int64_t, int64_t,       \
                                       acc_t<T>);                                                \
  template void add_rms_norm_forward(LK_ISA, T*, T*, acc_t<T>*, const T*, const T*,              \
                                     const acc_t<T>*, int64_t, int64_t, acc_t<T>);               \
  template void rms_norm_forward(LK_ISA, T*, acc_t<T>*, const T*, const acc_t<T>*, int64_t,      \
                                 int64_t, acc_t<T>);                                             \
  template void rms_norm_backward(LK_ISA, T*, acc_t<T>*, const T*, const T*, const acc_t<T>*,    \
                                  const acc_t<T>*, int64_t, int64_t);
LK_NORM(float)
LK_NORM(bf16)
LK_NORM(double)

}  // namespace lk
