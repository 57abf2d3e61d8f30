#include "engine/kernels/matvec.h"

#include <algorithm>
#include <cstring>

#include "engine/dtype.h"
#include "engine/kernels/vector.h"
#include "engine/parallel.h"

namespace lk {
namespace {

template <class Isa>
using Floats = typename Vector<Isa, float>::type;
template <class Isa>
constexpr int64_t kLanes = Vector<Isa, float>::lanes;

// Two vectors' worth of elements, in an order of its own: a dot product may take them in any, as
// long as both factors come in the same.
template <class Isa>
void load(const float* p, Floats<Isa> (&v)[2]) {
  v[0] = *reinterpret_cast<const Floats<Isa>*>(p);
  v[1] = *reinterpret_cast<const Floats<Isa>*>(p + kLanes<Isa>);
}

template <class Isa>
struct Words {
  typedef uint32_t type __attribute__((vector_size(VectorBytes<Isa>::value)));
};

// A bf16 is the upper half of a float: even ones first, then the odd ones, without a shuffle.
template <class Isa>
void load(const bf16* p, Floats<Isa> (&v)[2]) {
  typename Words<Isa>::type pairs;
  std::memcpy(&pairs, p, sizeof pairs);
  const auto even = pairs << 16, odd = pairs & 0xffff0000u;
  std::memcpy(&v[0], &even, sizeof even);
  std::memcpy(&v[1], &odd, sizeof odd);
}

template <class Isa>
float sum_of(const Floats<Isa>& v) {
  float part[kLanes<Isa>];
  std::memcpy(part, &v, sizeof part);
  for (int64_t width = kLanes<Isa> / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) part[l] += part[l + width];
  return part[0];
}

template <class C>
void put(C& to, float sum, int64_t o, const float* bias, const MatvecShape& s) {
  float y = s.alpha * sum;
  if (bias) y += bias[o];
  to = C(s.accumulate ? static_cast<float>(to) + y : y);
}

// c[m, r] = a[m] . b[r] for M rows of a and R rows of b.
template <class Isa, int M, int R, class C, class T>
[[gnu::always_inline]] inline void dots(C* c, const T* a, const T* b, int64_t o, const float* bias,
                                        const MatvecShape& s) {
  constexpr int64_t step = 2 * kLanes<Isa>;
  Floats<Isa> acc[M][R][2] = {};
  int64_t j = 0;
  for (; j + step <= s.in; j += step) {
    Floats<Isa> av[M][2];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) load<Isa>(a + m * s.in + j, av[m]);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      Floats<Isa> bv[2];
      load<Isa>(b + (o + r) * s.in + j, bv);
      __builtin_prefetch(b + (o + r + 2 * R) * s.in + j);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        acc[m][r][0] += av[m][0] * bv[0];
        acc[m][r][1] += av[m][1] * bv[1];
      }
    }
  }
  for (int m = 0; m < M; ++m)
    for (int r = 0; r < R; ++r) {
      float sum = sum_of<Isa>(acc[m][r][0] + acc[m][r][1]);
      for (int64_t l = j; l < s.in; ++l)
        sum += static_cast<float>(a[m * s.in + l]) * static_cast<float>(b[(o + r) * s.in + l]);
      put(c[m * s.out + o + r], sum, o + r, bias, s);
    }
}

// B [out, in].
template <class Isa, int M, class C, class T>
void dot_rows(C* c, const T* a, const T* b, const float* bias, const MatvecShape& s) {
  balanced_for(s.out, 1 + (1 << 15) / s.in, [=](int64_t begin, int64_t end) {
    // Rows read at a time: as many streams as keep memory busy, as few as the registers hold.
    constexpr int R = M == 1 ? 8 : M == 2 ? 4 : 1;
    int64_t o = begin;
    for (; o + R <= end; o += R) dots<Isa, M, R>(c, a, b, o, bias, s);
    for (; o < end; ++o) dots<Isa, M, 1>(c, a, b, o, bias, s);
  });
}

// B [in, out]: its rows are added up, four at a time, each thread in its own columns.
template <class Isa, class C, class T>
void add_rows(C* c, const T* a, const T* b, const float* bias, const MatvecShape& s) {
  parallel_for(s.out, 1 + (1 << 15) / s.in, [=](int64_t first, int64_t last) {
    constexpr int64_t kColumns = 2048;
    float y[kColumns];
    for (int64_t begin = first; begin < last; begin += kColumns) {
      const int64_t width = std::min(kColumns, last - begin);
      for (int64_t m = 0; m < s.rows; ++m) {
        std::fill_n(y, width, 0.0f);
        const T* am = a + m * s.in;
        int64_t i = 0;
        for (; i + 4 <= s.in; i += 4) {
          const T *w0 = b + i * s.out + begin, *w1 = w0 + s.out, *w2 = w1 + s.out, *w3 = w2 + s.out;
          const float a0 = am[i], a1 = am[i + 1], a2 = am[i + 2], a3 = am[i + 3];
          for (int64_t j = 0; j < width; ++j)
            y[j] += a0 * static_cast<float>(w0[j]) + a1 * static_cast<float>(w1[j]) +
                    a2 * static_cast<float>(w2[j]) + a3 * static_cast<float>(w3[j]);
        }
        for (; i < s.in; ++i)
          for (int64_t j = 0; j < width; ++j)
            y[j] += static_cast<float>(am[i]) * static_cast<float>(b[i * s.out + begin + j]);
        for (int64_t j = 0; j < width; ++j) put(c[m * s.out + begin + j], y[j], begin + j, bias, s);
      }
    }
  });
}

}  // namespace

template <class Isa, class C, class T>
void matvec(Isa, C* c, const T* a, const T* b, const float* bias, const MatvecShape& s) {
  if (s.in_out) return add_rows<Isa>(c, a, b, bias, s);
  if (s.rows == 1) return dot_rows<Isa, 1>(c, a, b, bias, s);
  if (s.rows == 2) return dot_rows<Isa, 2>(c, a, b, bias, s);
  if (s.rows == 3) return dot_rows<Isa, 3>(c, a, b, bias, s);
  dot_rows<Isa, 4>(c, a, b, bias, s);
}

template void matvec(LK_ISA, float*, const float*, const float*, const float*, const MatvecShape&);
template void matvec(LK_ISA, bf16*, const bf16*, const bf16*, const float*, const MatvecShape&);
template void matvec(LK_ISA, float*, const bf16*, const bf16*, const float*, const MatvecShape&);

}  // namespace lk
