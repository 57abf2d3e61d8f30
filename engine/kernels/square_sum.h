// sum = sum of x[i]^2 in double, by a fixed tree: for the norm of gradients.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x: [n]; sum: one number.
template <class Isa, class T>
void square_sum(Isa, double* sum, const T* x, int64_t n);

}  // namespace lk
