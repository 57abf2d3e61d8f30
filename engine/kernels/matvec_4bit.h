// c = a W^T for a few rows of a and a matrix W [out, in] in 4-bit blocks
// (engine/kernels/blockwise.h): what generation from a quantized model is made of. A weight is
// looked up in a register, multiplied and forgotten; sums, and the block's factor, in f32.
#pragma once

#include <cstdint>

namespace lk {

struct Matvec4Shape {
  int64_t rows;   // of a, up to kMatvecRows (engine/kernels/matvec.h)
  int64_t in;     // a multiple of block
  int64_t block;  // a multiple of 32
  int64_t ldc;    // from a row of c to the next
};

// a, in the order in which matvec_4bit wants it: of every 32 numbers the even ones, then the odd
// ones. n is a multiple of 32; T: float, bf16.
template <class Isa, class T>
void split_pairs(Isa, float* split, const T* a, int64_t n);

// c: [rows, count] for `count` rows of W, in this thread; a: [rows, in] in the order of
// split_pairs; packed: of the first of these rows; factors: [count, in / block]; values: [16].
template <class Isa>
void matvec_4bit(Isa, float* c, const float* a, const uint8_t* packed, const float* factors,
                 const float* values, int64_t count, const Matvec4Shape& shape);

}  // namespace lk
