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

// c[m, r] for M rows of a and R rows of W.
template <class Isa, int M, int R>
[[gnu::always_inline]] inline void dots(float* c, const float* a, const uint8_t* packed,
                                        const float* factors, const float* values,
                                        const Matvec4Shape& s) {
  constexpr int parts = kParts<Isa>, lanes = static_cast<int>(Vector<Isa, float>::lanes);
  const int64_t blocks = s.in / s.block, row_bytes = s.in / 2;
  const Table16<Isa> table(values);
  Floats<Isa> acc[M][R] = {};
  for (int64_t b = 0; b < blocks; ++b) {
    Floats<Isa> part[M][R] = {};
    for (int64_t j = b * s.block; j < (b + 1) * s.block; j += 32) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Floats<Isa> even[parts], odd[parts];
        table.look_up_pairs(even, odd, packed + r * row_bytes + j / 2);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
          for (int p = 0; p < parts; ++p) {
            const auto* x = reinterpret_cast<const Floats<Isa>*>(a + m * s.in + j + p * lanes);
            const auto* y = reinterpret_cast<const Floats<Isa>*>(a + m * s.in + j + 16 + p * lanes);
            part[m][r] += even[p] * *x;
            part[m][r] += odd[p] * *y;
          }
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[m][r] += part[m][r] * factors[r * blocks + b];
  }
  for (int m = 0; m < M; ++m)
    for (int r = 0; r < R; ++r) c[m * s.ldc + r] = sum_of<Isa>(acc[m][r]);
}

template <class Isa, int M>
void all_rows(float* c, const float* a, const uint8_t* packed, const float* factors,
              const float* values, int64_t count, const Matvec4Shape& s) {
  constexpr int R = M == 1 ? 4 : M == 2 ? 2 : 1;
  const int64_t blocks = s.in / s.block, row_bytes = s.in / 2;
  int64_t o = 0;
  for (; o + R <= count; o += R)
    dots<Isa, M, R>(c + o, a, packed + o * row_bytes, factors + o * blocks, values, s);
  for (; o < count; ++o)
    dots<Isa, M, 1>(c + o, a, packed + o * row_bytes, factors + o * blocks, values, s);
}

}  // namespace

template <class Isa, class T>
void split_pairs(Isa, float* split, const T* a, int64_t n) {
  for (int64_t i = 0; i < n; i += 32)
    for (int64_t j = 0; j < 16; ++j) {
      split[i + j] = static_cast<float>(a[i + 2 * j]);
      split[i + 16 + j] = static_cast<float>(a[i + 2 * j + 1]);
    }
}

template <class Isa>
void matvec_4bit(Isa, float* c, const float* a, const uint8_t* packed, const float* factors,
                 const float* values, int64_t count, const Matvec4Shape& s) {
  if (s.rows == 1) return all_rows<Isa, 1>(c, a, packed, factors, values, count, s);
  if (s.rows == 2) return all_rows<Isa, 2>(c, a, packed, factors, values, count, s);
  if (s.rows == 3) return all_rows<Isa, 3>(c, a, packed, factors, values, count, s);
  all_rows<Isa, 4>(c, a, packed, factors, values, count, s);
}

template void split_pairs(LK_ISA, float*, const float*, int64_t);
template void split_pairs(LK_ISA, float*, const bf16*, int64_t);
template void matvec_4bit(LK_ISA, float*, const float*, const uint8_t*, const float*, const float*,
                          int64_t, const Matvec4Shape&);

}  // namespace lk
