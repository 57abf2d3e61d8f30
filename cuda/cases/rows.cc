#include "engine/kernels/rows.h"
#include "cuda/cases/families.h"
#include "engine/kernels/transpose.h"

namespace lk {
namespace {

template <class T>
void add_rows(Cases& cases, int64_t times) {
  const std::string dtype{name_of(dtype_of<T>)};
  constexpr int64_t d = 768;
  const int64_t rows = 512 * times;
  const std::string matrix = fmt::format("{} [{}, {}]", dtype, rows, d);
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
}

}  // namespace

void add_rows_cases(Cases& cases, int64_t times) {
  add_rows<float>(cases, times);
  add_rows<bf16>(cases, times);
}

}  // namespace lk
