// c = alpha a B (+ bias) (+ c) for a few rows of a: what generation, a token at a time, is made of.
// Every weight is read once and used at once, so memory bounds it.
#pragma once

#include <cstdint>

namespace lk {

// Up to this many rows of `a` are taken by matvec rather than by the library.
inline constexpr int64_t kMatvecRows = 4;

struct MatvecShape {
  int64_t rows, in, out;
  bool in_out;  // B is stored [in, out], otherwise [out, in]
  float alpha;
  bool accumulate;  // adds to c instead of writing it
};

// c: [rows, out] of C (T or float); a: [rows, in]; b: see in_out; bias: [out] or null, not scaled
// by alpha. rows <= kMatvecRows. T is float or bf16; sums in f32.
template <class Isa, class C, class T>
void matvec(Isa, C* c, const T* a, const T* b, const float* bias, const MatvecShape& shape);

}  // namespace lk
