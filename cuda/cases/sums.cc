#include "cuda/cases/families.h"
#include "engine/kernels/column_sum.h"
#include "engine/kernels/low_rank_norm.h"
#include "engine/kernels/square_sum.h"
#include "engine/kernels/sum.h"

namespace lk {
namespace {

template <class T>
void add_sums(Cases& cases, int64_t times) {
  add_flat<T>(cases, times, "square_sum", 1, 0, [](Cuda c, CaseMemory& m, T, int64_t n) {
    square_sum(c, m.zeros<double>(1), static_cast<const T*>(m.zeros<T>(n)), n);
  });
  add_flat<T>(cases, times, "sum", 1, 0, [](Cuda c, CaseMemory& m, T, int64_t n) {
    sum(c, m.zeros<double>(1), static_cast<const T*>(m.zeros<T>(n)), n);
  });
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t d = 768;
  const int64_t rows = 512 * times;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, d);
  cases.push_back({"column_sum", matrix, rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     column_sum(c, m.zeros<float>(d), x, rows, d);
                   }});
}

}  // namespace

void add_sums_cases(Cases& cases, int64_t times) {
  add_sums<float>(cases, times);
  add_sums<bf16>(cases, times);
  constexpr int64_t r = 8;
  const int64_t out = 4096 * times;
  cases.push_back({"low_rank_norm", fmt::format("f32 [{}], rank 8", out), out * (8 + 4 + 3 * r * 4),
                   [=](Cuda c, CaseMemory& m) {
                     const double* squares = m.zeros<double>(out);
                     const float *b = m.zeros<float>(out * r), *wa = m.zeros<float>(out * r),
                                 *baa = m.zeros<float>(out * r);
                     low_rank_norm(c, m.zeros<float>(out), squares, b, wa, baa, out, r, 1.0, true);
                   }});
}

}  // namespace lk
