#include "engine/kernels/matvec_4bit.h"

#include "engine/dtype.h"
#include "engine/kernels/nibbles.h"
#include "engine/kernels/vector.h"

namespace lk {
namespace {

template <class Isa>
using Floats = typename Vector<Isa, float>::type;
template <class Isa>
constexpr int kParts = 16 / static_cast<int>(Vector<Isa, float>::lanes);

template <class Isa>
inline float sum_of(const Floats<Isa>& v) {
  constexpr int64_t lanes = Vector<Isa, float>::lanes;
  float part[lanes];
  std::memcpy(part, &v, sizeof part);
  for (int64_t width = lanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) part[l] += part[l + width];
  return part[0];
}

// y[m, r] for M rows of x and the rows [o, o + R) of W.
template <class Isa, int M, int R, class T>
[[gnu::always_inline]] inline void dots(T* y, int64_t ldy, const float* x, const Matrix4Bit& w,
                                        int64_t o, const float* bias) {
  constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, float>::lanes);
  const int64_t blocks = w.in / w.block, row_bytes = w.in / 2;
  const uint8_t* packed = w.packed + o * row_bytes;
  const float* factors = w.absmax + o * blocks;
  const Table16<Isa> table(w.values);
  Floats<Isa> acc[M][R] = {};
  for (int64_t b = 0; b < blocks; ++b) {
    Floats<Isa> part[M][R] = {};
    for (int64_t j = b * w.block; j < (b + 1) * w.block; j += 32) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Floats<Isa> even[parts], odd[parts];
        table.look_up_pairs(even, odd, packed + r * row_bytes + j / 2);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
          for (int p = 0; p < parts; ++p) {
            const auto* u = reinterpret_cast<const Floats<Isa>*>(x + m * w.in + j + p * lanes);
            const auto* v = reinterpret_cast<const Floats<Isa>*>(x + m * w.in + j + 16 + p * lanes);
            part[m][r] += even[p] * *u;
            part[m][r] += odd[p] * *v;
          }
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[m][r] += part[m][r] * factors[r * blocks + b];
  }
  for (int m = 0; m < M; ++m)
    for (int r = 0; r < R; ++r) {
      const float sum = sum_of<Isa>(acc[m][r]);
      y[m * ldy + o + r] = T(bias ? sum + bias[o + r] : sum);
    }
}

template <class Isa, int M, class T>
void all_rows(T* y, int64_t ldy, const float* x, const Matrix4Bit& w, const float* bias) {
  constexpr int R = M == 1 ? 4 : M == 2 ? 2 : 1;
  int64_t o = 0;
  for (; o + R <= w.out; o += R) dots<Isa, M, R>(y, ldy, x, w, o, bias);
  for (; o < w.out; ++o) dots<Isa, M, 1>(y, ldy, x, w, o, bias);
}

}  // namespace

template <class Isa, class T>
void split_pairs(Isa, float* split, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 32)
    for (int64_t j = 0; j < 16; ++j) {
      split[i + j] = static_cast<float>(x[i + 2 * j]);
      split[i + 16 + j] = static_cast<float>(x[i + 2 * j + 1]);
    }
}

template <class Isa, class T, class X>
void matvec_4bit(Isa, T* y, int64_t ldy, const X* x, int64_t rows, const Matrix4Bit& w,
                 const float* bias) {
  if (rows == 1) return all_rows<Isa, 1>(y, ldy, x, w, bias);
  if (rows == 2) return all_rows<Isa, 2>(y, ldy, x, w, bias);
  if (rows == 3) return all_rows<Isa, 3>(y, ldy, x, w, bias);
  all_rows<Isa, 4>(y, ldy, x, w, bias);
}

template void split_pairs(LK_ISA, float*, const float*, int64_t);
template void split_pairs(LK_ISA, float*, const bf16*, int64_t);
template void matvec_4bit(LK_ISA, float*, int64_t, const float*, int64_t, const Matrix4Bit&,
                          const float*);
template void matvec_4bit(LK_ISA, bf16*, int64_t, const float*, int64_t, const Matrix4Bit&,
                          const float*);

}  // namespace lk
