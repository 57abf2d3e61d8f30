// loss[i] = KL(softmax(t[i]) || softmax(x[i])) = sum_j p_j (log p_j - log q_j) and dx = q - p.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x, t, dx: [rows, classes]; loss: [rows]. In double: the difference of close distributions is
// wanted.
template <class Isa, class T>
void kl_divergence(Isa, T* dx, double* loss, const T* x, const T* t, int64_t rows, int64_t classes);

}  // namespace lk
