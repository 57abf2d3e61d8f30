#include "cuda/cases/families.h"
#include "engine/kernels/sparse_linear.h"

namespace lk {
namespace {

template <class T>
void add_sparse(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t width = 512;
  // Two values in each row of W [512, 512], as SHiRA of rank 1 has.
  constexpr int64_t values = 2 * width;
  const int64_t tokens = 64 * times;
  const std::string product = fmt::format("{} [{}, 512] by [512, 512], 1024 values", dtype, tokens);
  const auto column = [](int64_t i) { return i * 7919 % width; };
  cases.push_back(
      {"sparse_linear_forward", product, 2 * tokens * width * size<T> + (values * 3 + width) * 4,
       [=](Cuda c, CaseMemory& m) {
         const int32_t* starts = m.ints(width + 1, [](int64_t i) { return 2 * i; });
         const SparseRows w{starts, m.ints(values, same), m.ints(values, column)};
         const T* x = m.zeros<T>(tokens * width);
         const float* v = m.zeros<float>(values);
         sparse_linear_forward(c, m.zeros<T>(tokens * width), x, v, w, tokens, width, width);
       }});
  cases.push_back({"sparse_linear_values", product, 2 * tokens * width * size<T> + values * 3 * 4,
                   [=](Cuda c, CaseMemory& m) {
                     const int32_t *rows_of = m.ints(values, [](int64_t i) { return i / 2; }),
                                   *columns = m.ints(values, column);
                     const T *dy = m.zeros<T>(tokens * width), *x = m.zeros<T>(tokens * width);
                     sparse_linear_values(c, m.zeros<float>(values), dy, x, rows_of, columns,
                                          values, tokens, width, width);
                   }});
}

}  // namespace

void add_sparse_cases(Cases& cases, int64_t times) {
  add_sparse<float>(cases, times);
  add_sparse<bf16>(cases, times);
}

}  // namespace lk
