// loss[i] = log sum_j exp(z[i, j]) - z[i, label[i]] and dz = softmax(z) - onehot(label).
#pragma once

#include "engine/dtype.h"

namespace lk {

// z: [rows, classes]; loss: [rows]; dz: like z but G may be a narrower type; may be z itself, or
// null. A row labelled -100 has no loss and no gradient; other labels must lie in [0, classes).
template <class Isa, class G, class T>
void softmax_cross_entropy(Isa, G* dz, double* loss, const T* z, const int32_t* labels,
                           int64_t rows, int64_t classes);

}  // namespace lk
