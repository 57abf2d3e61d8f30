// y = x W^T with W [out, in] of few values v at (row, column):
//   y[t, o] = sum of v_i x[t, c_i] over the i of row o        dv_i = sum over t of dy[t, o_i] x[t,
//   c_i]
// and dx is the first again, with rows and columns exchanged.
#pragma once

#include "engine/dtype.h"

namespace lk {

// The values of each row of W, one row after the other: row o has those at starts[o] ..
// starts[o + 1] - 1.
struct SparseRows {
  const int32_t* starts;   // [out + 1]
  const int32_t* which;    // [n]: number of the value
  const int32_t* columns;  // [n]
};
// y: [tokens, out], x: [tokens, in], values: [n]. A row's sum runs in the given order.
template <class Isa, class T>
void sparse_linear_forward(Isa, T* y, const T* x, const acc_t<T>* values, const SparseRows& w,
                           int64_t tokens, int64_t out, int64_t in);
// dvalues, rows, columns: [count]; dy: [tokens, out], x: [tokens, in].
template <class Isa, class T>
void sparse_linear_values(Isa, acc_t<T>* dvalues, const T* dy, const T* x, const int32_t* rows,
                          const int32_t* columns, int64_t count, int64_t tokens, int64_t out,
                          int64_t in);

}  // namespace lk
