// Over rows of x [rows, width]: y_i = exp(x_i) / sum_j exp(x_j), and dx_i = y_i (dy_i - sum_j y_j
// dy_j).
#pragma once

#include "engine/dtype.h"

namespace lk {

template <class Isa, class T>
void softmax_forward(Isa, T* y, const T* x, int64_t rows, int64_t width);
template <class Isa, class T>
void softmax_backward(Isa, T* dx, const T* dy, const T* y, int64_t rows, int64_t width);

}  // namespace lk
