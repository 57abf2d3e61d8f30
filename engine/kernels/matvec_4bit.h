// y = x W^T (+ bias) for a few rows of x and a matrix W in 4-bit blocks: what generation from a
// quantized model is made of. A weight is looked up, multiplied and forgotten; sums, and the
// block's factor, in f32.
#pragma once

#include <cstdint>

#include "engine/kernels/blockwise.h"

namespace lk {

// The CPU's matvec_4bit wants x in lanes: of every 128 numbers first those whose codes lie in the
// lowest 4 bits of 16 words of 32 bits, then those of the next 4 bits, ...; 0 where a row ends
// before.
inline int64_t length_in_lanes(int64_t n) { return (n + 127) / 128 * 128; }
// lanes: [rows, length_in_lanes(n)], x: [rows, n]; T: float, bf16.
template <class Isa, class T>
void put_in_lanes(Isa, float* lanes, const T* x, int64_t rows, int64_t n);

// y: [rows, w.out], its rows ldy apart; bias: [w.out] or null; rows <= kMatvecRows
// (engine/kernels/matvec.h). T: float, bf16. On the CPU, in this thread: w is some of a matrix's
// rows and x is what put_in_lanes made, X = float. On CUDA x is as it is, X = T.
template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias);

}  // namespace lk
