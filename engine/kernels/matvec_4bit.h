// y = x W^T (+ bias) for a few rows of x and a matrix W in 4-bit blocks: what generation from a
// quantized model is made of. A weight is looked up, multiplied and forgotten; sums over more than
// 8 weights, and the block's factor, in f32.
#pragma once

#include <cstdint>

#include "engine/dtype.h"
#include "engine/kernels/blockwise.h"

namespace lk {

// On the CPU x lies in lanes: of every 128 numbers first those whose codes are the lowest 4 bits of
// words as wide as a lane (16 words of 32 bits, 32 of 16), then those of the next 4 bits, ...; 0
// where a row ends before.
template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  float values[128];
};
// x = values times scale, a power of two: what has 8 bits is held without loss down to 1/64 of the
// 128 numbers' largest, and nothing is off by more than 2^-14 of that. So the products with the
// code book, of 15 bits, and the sums of 8 are whole numbers, which take fewer instructions.
// scale is NaN where one of the numbers is not finite.
template <>
struct alignas(64) Lanes<bf16> {
  int16_t values[128];
  float scale;
};
inline int64_t lanes_of(int64_t n) { return (n + 127) / 128; }

// lanes: [rows, lanes_of(n)], x: [rows, n]; T: float, bf16.
template <class Isa, class T>
void put_in_lanes(Isa, Lanes<T>* lanes, const T* x, int64_t rows, int64_t n);

// y: [rows, w.out], its rows ldy apart; bias: [w.out] or null; rows <= kMatvecRows
// (engine/kernels/matvec.h). T: float, bf16. On the CPU, in this thread: w is some of a matrix's
// rows and x is what put_in_lanes made, X = Lanes<T>. On CUDA x is as it is, X = T.
template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias);

}  // namespace lk
