// Rotary embedding (Su et al. 2021), halves as Hugging Face pairs them: for i < D/2 and angle
// a = position inv_freq[i]:  y[i] = x[i] cos a - x[i + D/2] sin a,  y[i + D/2] = x[i + D/2] cos a +
// x[i] sin a.
#pragma once

#include "engine/dtype.h"

namespace lk {

// cos, sin [rows, half] of positions[i] * inv_freq[j], an f32 product as in the models' own code,
// times `factor`. A: f32 or f64.
template <class Isa, class A>
void rotary_table(Isa, A* cos, A* sin, const int32_t* positions, const float* inv_freq,
                  int64_t rows, int64_t half, float factor);

// x, y: [rows, heads, D]; cos, sin: [rows, D/2]. inverse turns the other way (the backward pass).
template <class Isa, class T>
void rotary_forward(Isa, T* y, const T* x, const acc_t<T>* cos, const acc_t<T>* sin, int64_t rows,
                    int64_t heads, int64_t d, bool inverse);

}  // namespace lk
