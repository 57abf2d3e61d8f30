// sum[j] = sum over rows of x[i, j]: the gradient of a bias. x: [rows, cols], sum: [cols].
#pragma once

#include "engine/dtype.h"

namespace lk {

// Rows are summed in chunks cut by the row count alone, so the bits do not depend on the thread
// count.
template <class Isa, class T>
void column_sum(Isa, acc_t<T>* sum, const T* x, int64_t rows, int64_t cols);

}  // namespace lk
