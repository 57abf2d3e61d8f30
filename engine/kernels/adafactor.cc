#include "engine/kernels/adafactor.h"

#include <cmath>

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {
namespace {

constexpr double kEps = 1e-30;

}  // namespace

template <class Isa, class A>
void adafactor_means(Isa, float* r, float* c, const A* g, int64_t rows, int64_t cols,
                     double beta2) {
  const auto square = [=](int64_t i, int64_t j) {
    const auto x = static_cast<double>(g[i * cols + j]);
    return x * x + kEps;
  };
  parallel_for(rows, 1 + (1 << 14) / (cols + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double total = 0;
      for (int64_t j = 0; j < cols; ++j) total += square(i, j);
      r[i] = static_cast<float>(beta2 * r[i] + (1 - beta2) * total / static_cast<double>(cols));
    }
  });
  // Few columns at a time, so that the rows' pieces come from memory once.
  constexpr int64_t kPiece = 64;
  parallel_for((cols + kPiece - 1) / kPiece, 1, [=](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t j0 = piece * kPiece, j1 = j0 + kPiece < cols ? j0 + kPiece : cols;
      double total[kPiece] = {};
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = j0; j < j1; ++j) total[j - j0] += square(i, j);
      for (int64_t j = j0; j < j1; ++j)
        c[j] = static_cast<float>(beta2 * c[j] +
                                  (1 - beta2) * total[j - j0] / static_cast<double>(rows));
    }
  });
}

template <class Isa, class A>
void adafactor_factored(Isa, double* u, const A* g, const float* r, const float* c, double r_mean,
                        int64_t rows, int64_t cols) {
  parallel_for(rows, 1 + (1 << 13) / (cols + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double by_row = std::sqrt(r[i] / r_mean);
      for (int64_t j = 0; j < cols; ++j)
        u[i * cols + j] =
            static_cast<double>(g[i * cols + j]) / by_row / std::sqrt(static_cast<double>(c[j]));
    }
  });
}

template <class Isa, class A>
void adafactor_whole(Isa, double* u, float* s, const A* g, int64_t n, double beta2) {
  parallel_for(n, 1 << 13, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto x = static_cast<double>(g[i]);
      s[i] = static_cast<float>(beta2 * s[i] + (1 - beta2) * (x * x + kEps));
      u[i] = x / std::sqrt(static_cast<double>(s[i]));
    }
  });
}

template <class Isa, class A>
void adafactor_apply(Isa, A* p, const double* u, int64_t n, double keep, double rate) {
  parallel_for(n, 1 << 14, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      p[i] = static_cast<A>(static_cast<double>(p[i]) * keep - rate * u[i]);
  });
}

#define LK_ADAFACTOR(A)                                                                           \
  template void adafactor_means(LK_ISA, float*, float*, const A*, int64_t, int64_t, double);      \
  template void adafactor_factored(LK_ISA, double*, const A*, const float*, const float*, double, \
                                   int64_t, int64_t);                                             \
  template void adafactor_whole(LK_ISA, double*, float*, const A*, int64_t, double);              \
  template void adafactor_apply(LK_ISA, A*, const double*, int64_t, double, double);
LK_ADAFACTOR(float)
LK_ADAFACTOR(double)

}  // namespace lk
