// y[b, j, i] = x[b, i, j]: the rows and columns of each matrix of a stack exchanged.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x: [count, rows, cols], y: [count, cols, rows].
template <class Isa, class T>
void transpose(Isa, T* y, const T* x, int64_t count, int64_t rows, int64_t cols);

}  // namespace lk
