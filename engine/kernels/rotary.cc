#include "engine/kernels/rotary.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class A>
void rotary_table(Isa, A* cos, A* sin, const int32_t* positions, const float* inv_freq,
                  int64_t rows, int64_t half, float factor) {
  parallel_for(rows, 1 + (1 << 11) / (half + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < half; ++j) {
        const float angle = static_cast<float>(positions[i]) * inv_freq[j];
        cos[i * half + j] = A(std::cos(angle) * factor);
        sin[i * half + j] = A(std::sin(angle) * factor);
      }
  });
}

template <class Isa, class T>
void rotary_forward(Isa, T* y, const T* x, const acc_t<T>* cos, const acc_t<T>* sin, int64_t rows,
                    int64_t heads, int64_t d, bool inverse) {
  using A = acc_t<T>;
  const int64_t half = d / 2;
  const A sign = inverse ? A(-1) : A(1);
  parallel_for(rows, 1 + (1 << 13) / (heads * d), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        const T* xi = x + (i * heads + h) * d;
        T* yi = y + (i * heads + h) * d;
        for (int64_t j = 0; j < half; ++j) {
          const A c = cos[i * half + j], s = sign * sin[i * half + j];
          const A a = static_cast<A>(xi[j]), b = static_cast<A>(xi[j + half]);
          yi[j] = T(a * c - b * s);
          yi[j + half] = T(b * c + a * s);
        }
      }
  });
}

template void rotary_forward(LK_ISA, float*, const float*, const float*, const float*, int64_t,
                             int64_t, int64_t, bool);
template void rotary_forward(LK_ISA, bf16*, const bf16*, const float*, const float*, int64_t,
                             int64_t, int64_t, bool);
template void rotary_forward(LK_ISA, double*, const double*, const double*, const double*, int64_t,
                             int64_t, int64_t, bool);

template void rotary_table(LK_ISA, float*, float*, const int32_t*, const float*, int64_t, int64_t,
                           float);
template void rotary_table(LK_ISA, double*, double*, const int32_t*, const float*, int64_t, int64_t,
                           float);

}  // namespace lk
