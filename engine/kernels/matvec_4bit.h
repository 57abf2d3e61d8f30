// y = x W^T (+ bias) for a few rows of x and a matrix W in 4-bit blocks: what generation from a
// quantized model is made of. A weight is looked up, multiplied and forgotten; sums, and the
// block's factor, in f32.
#pragma once

#include <cstdint>

#include "engine/kernels/blockwise.h"

namespace lk {

// x, in the order in which the CPU's matvec_4bit wants it: of every 32 numbers the even ones, then
// the odd ones. n is a multiple of 32; T: float, bf16.
template <class Isa, class T>
void split_pairs(Isa, float* split, const T* x, int64_t n);

// y: [rows, w.out], its rows ldy apart; bias: [w.out] or null; rows <= kMatvecRows
// (engine/kernels/matvec.h). T: float, bf16. On the CPU, in this thread: w is some of a matrix's
// rows and x [rows, w.in] in the order of split_pairs, X = float. On CUDA x is as it is, X = T.
template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias);

}  // namespace lk
