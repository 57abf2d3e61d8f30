// sum = sum of x[i] in double, by a fixed tree.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x: [n]; total: one number.
template <class Isa, class T>
void sum(Isa, double* total, const T* x, int64_t n);

}  // namespace lk
