// y[i] = x[i] / (1 - p) where the i-th uniform of Philox (seed, stream) is at least p, else 0.
// The backward pass is the same function of dy.
#pragma once

#include "engine/dtype.h"

namespace lk {

template <class Isa, class T>
void dropout_forward(Isa, T* y, const T* x, int64_t n, float p, uint64_t seed, uint64_t stream);

}  // namespace lk
