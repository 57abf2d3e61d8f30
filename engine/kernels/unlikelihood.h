// y = -log(1 - p + epsilon) with p = exp(x), and dx = dy p / (1 - p + epsilon). In double: p may be
// close to 1.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x, y, dx, dy: [n].
template <class Isa, class T>
void unlikelihood_forward(Isa, T* y, const T* x, int64_t n, double epsilon);
template <class Isa, class T>
void unlikelihood_backward(Isa, T* dx, const T* dy, const T* x, int64_t n, double epsilon);

}  // namespace lk
