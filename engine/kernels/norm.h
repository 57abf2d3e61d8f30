// LayerNorm y = (x - mean) rstd gain + bias and RMSNorm y = x rstd gain over rows of x [rows, d],
// with rstd = 1 / sqrt(var + eps) and 1 / sqrt(mean(x^2) + eps).
#pragma once

#include "engine/dtype.h"

namespace lk {

// mean, rstd: [rows] (kept for backward).
template <class Isa, class T>
void layer_norm_forward(Isa, T* y, acc_t<T>* mean, acc_t<T>* rstd, const T* x, const acc_t<T>* gain,
                        const acc_t<T>* bias, int64_t rows, int64_t d, acc_t<T> eps);
// dx [rows, d]; dgain, dbias [d]; any may be null. xhat = (x - mean) rstd, g = dy gain:
//   dx = rstd (g - mean(g) - xhat mean(g xhat))      dgain = sum dy xhat      dbias = sum dy
// The sums over rows run in a fixed order whatever the thread count.
template <class Isa, class T>
void layer_norm_backward(Isa, T* dx, acc_t<T>* dgain, acc_t<T>* dbias, const T* dy, const T* x,
                         const acc_t<T>* mean, const acc_t<T>* rstd, const acc_t<T>* gain,
                         int64_t rows, int64_t d);
template <class Isa, class T>
void rms_norm_forward(Isa, T* y, acc_t<T>* rstd, const T* x, const acc_t<T>* gain, int64_t rows,
                      int64_t d, acc_t<T> eps);
// The norm of sum = a + b [rows, d], rounded to T before: what two ops would give, in one pass.
template <class Isa, class T>
void add_layer_norm_forward(Isa, T* y, T* sum, acc_t<T>* mean, acc_t<T>* rstd, const T* a,
                            const T* b, const acc_t<T>* gain, const acc_t<T>* bias, int64_t rows,
                            int64_t d, acc_t<T> eps);
template <class Isa, class T>
void add_rms_norm_forward(Isa, T* y, T* sum, acc_t<T>* rstd, const T* a, const T* b,
                          const acc_t<T>* gain, int64_t rows, int64_t d, acc_t<T> eps);
template <class Isa, class T>
void rms_norm_backward(Isa, T* dx, acc_t<T>* dgain, const T* dy, const T* x, const acc_t<T>* rstd,
                       const acc_t<T>* gain, int64_t rows, int64_t d);

}  // namespace lk
