// Matrices, row by row.
#include "engine/kernels/rows.h"

#include "cuda/cases/families.h"
#include "engine/kernels/column_sum.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/softmax.h"
#include "engine/kernels/transpose.h"

namespace lk {
namespace {

int64_t same(int64_t i) { return i; }

template <class T>
void add_of(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t d = 768;
  const int64_t rows = 512 * times;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, d);
  cases.push_back(
      {"add_row_forward", matrix, 2 * rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* row = m.zeros<float>(d);
         add_row_forward(c, m.zeros<T>(rows * d), x, row, rows, d);
       }});
  cases.push_back(
      {"mul_row_forward", matrix, 2 * rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* row = m.zeros<float>(d);
         mul_row_forward(c, m.zeros<T>(rows * d), x, row, rows, d);
       }});
  cases.push_back({"column_sum", matrix, rows * d * size<T> + d * 4, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     column_sum(c, m.zeros<float>(d), x, rows, d);
                   }});
  cases.push_back(
      {"mul_column_forward", matrix, 2 * rows * d * size<T> + rows * 4, [=](Cuda c, CaseMemory& m) {
         const T* x = m.zeros<T>(rows * d);
         const float* column = m.zeros<float>(rows);
         mul_column_forward(c, m.zeros<T>(rows * d), x, column, rows, d);
       }});
  cases.push_back({"transpose", matrix, 2 * rows * d * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     transpose(c, m.zeros<T>(rows * d), x, 1, rows, d);
                   }});
  const int64_t ids = rows * 4;
  cases.push_back({"gather_rows", matrix, 2 * rows * d * size<T> + ids, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(rows * d);
                     gather_rows(c, m.zeros<T>(rows * d), x, m.ints(rows, same), rows, d);
                   }});
  // Every row goes to a row of its own.
  cases.push_back(
      {"scatter_add_rows", matrix, rows * d * (8 + size<T>)+3 * ids, [=](Cuda c, CaseMemory& m) {
         const RowGroups groups{m.ints(rows, same), m.ints(rows + 1, same), m.ints(rows, same),
                                rows};
         const T* x = m.zeros<T>(rows * d);
         scatter_add_rows(c, m.zeros<float>(rows * d), x, groups, d);
       }});
  constexpr int64_t width = 512;
  const int64_t n = rows * width;
  const std::string narrow = fmt::format("{} [{}, {}]", dtype, rows, width);
  cases.push_back({"softmax_forward", narrow, 2 * n * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T* x = m.zeros<T>(n);
                     softmax_forward(c, m.zeros<T>(n), x, rows, width);
                   }});
  cases.push_back({"softmax_backward", narrow, 3 * n * size<T>, [=](Cuda c, CaseMemory& m) {
                     const T *dy = m.zeros<T>(n), *y = m.zeros<T>(n);
                     softmax_backward(c, m.zeros<T>(n), dy, y, rows, width);
                   }});
}

}  // namespace

void add_row_cases(Cases& cases, int64_t times) {
  add_of<float>(cases, times);
  add_of<bf16>(cases, times);
}

}  // namespace lk
