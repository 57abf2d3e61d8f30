// loss[i] = log sum_j exp(z[i, j]) - z[i, label[i]] and dz = softmax(z) - onehot(label).
#pragma once

#include "engine/dtype.h"

namespace lk {

// z: [rows, classes]; loss: [rows]; dz: like z, may be z itself, or null. A row labelled -100 has
// no loss and no gradient; other labels must lie in [0, classes).
template <class Isa, class T>
void softmax_cross_entropy(Isa, T* dz, double* loss, const T* z, const int32_t* labels,
                           int64_t rows, int64_t classes);

}  // namespace lk
