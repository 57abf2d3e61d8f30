// y = x W^T (+ bias) for a few rows of x and a matrix W in 4-bit blocks: what generation from a
// quantized model is made of. A weight is looked up, multiplied and forgotten; sums over more than
// 8 weights, and the block's factor, in f32.
#pragma once

#include <cstdint>

#include "engine/cpu.h"
#include "engine/dtype.h"
#include "engine/kernels/blockwise.h"

namespace lk {

// On the CPU x lies in lanes, 128 numbers in the order in which a kernel set takes codes apart; 0
// where a row ends before. First those whose codes are the lowest 4 bits of words as wide as a lane
// (16 words of 32 bits, 32 of 16), then those of the next 4 bits, ...
template <class Isa, class T>
struct Lanes;
template <class Isa>
struct Lanes<Isa, float> {
  float values[128];
};
// x = values times scale, a power of two: what has 8 bits is held without loss down to 1/64 of the
// 128 numbers' largest, and nothing is off by more than 2^-14 of that. So the products with the
// code book, of 15 bits, and the sums of 8 are whole numbers, which take fewer instructions.
// scale is NaN where one of the numbers is not finite.
template <class Isa>
struct alignas(64) Lanes<Isa, bf16> {
  int16_t values[128];
  float scale;
};
// The same in bytes, 256 high + low being the whole number; the last index is the codes' byte, the
// first which half of it. start: what a lane's sum begins with
// (engine/kernels/vnni/matvec_4bit.cc).
template <>
struct alignas(64) Lanes<Vnni, bf16> {
  int8_t high[2][64], low[2][64];
  int32_t start[16];
  float scale;
};
inline int64_t lanes_of(int64_t n) { return (n + 127) / 128; }

// lanes: [rows, lanes_of(n)], x: [rows, n]; T: float, bf16.
template <class Isa, class T>
void put_in_lanes(Isa, Lanes<Isa, T>* lanes, const T* x, int64_t rows, int64_t n);

// y: [rows, w.out], its rows ldy apart; bias: [w.out] or null; rows <= kMatvecRows
// (engine/kernels/matvec.h). T: float, bf16. On the CPU, in this thread: w is some of a matrix's
// rows and x is what put_in_lanes made, X = Lanes<Isa, T>. On CUDA x is as it is, X = T.
template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias);

}  // namespace lk
