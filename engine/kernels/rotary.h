// Rotary embedding (Su et al. 2021), halves as Hugging Face pairs them: for i < D/2 and angle
// a = position inv_freq[i]:  y[i] = x[i] cos a - x[i + D/2] sin a,  y[i + D/2] = x[i + D/2] cos a +
// x[i] sin a.
#pragma once

#include "engine/dtype.h"

namespace lk {

// x, y: [rows, heads, D]; cos, sin: [rows, D/2]. inverse turns the other way (the backward pass).
template <class Isa, class T>
void rotary_forward(Isa, T* y, const T* x, const acc_t<T>* cos, const acc_t<T>* sin, int64_t rows,
                    int64_t heads, int64_t d, bool inverse);

}  // namespace lk
