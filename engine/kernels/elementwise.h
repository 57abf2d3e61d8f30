// Sums and products of two operands. "row" operands [cols] are repeated over the rows of x [rows,
// cols], "column" operands [rows] over its columns.
#pragma once

#include "engine/dtype.h"

namespace lk {

template <class Isa, class T>
void add_forward(Isa, T* y, const T* a, const T* b, int64_t n);
template <class Isa, class T>
void mul_forward(Isa, T* y, const T* a, const T* b, int64_t n);
template <class Isa, class T>
void scale_forward(Isa, T* y, const T* x, acc_t<T> factor, int64_t n);
template <class Isa, class T>
void add_row_forward(Isa, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols);
template <class Isa, class T>
void mul_row_forward(Isa, T* y, const T* x, const acc_t<T>* row, int64_t rows, int64_t cols);
template <class Isa, class T>
void mul_column_forward(Isa, T* y, const T* x, const acc_t<T>* column, int64_t rows, int64_t cols);
// y = silu(gate) * up (Shazeer 2020), and its two gradients (either may be null).
template <class Isa, class T>
void swiglu_forward(Isa, T* y, const T* gate, const T* up, int64_t n);
template <class Isa, class T>
void swiglu_backward(Isa, T* dgate, T* dup, const T* dy, const T* gate, const T* up, int64_t n);

}  // namespace lk
