#include "engine/kernels/column_sum.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda column_sum equals the CPU's") {
  for (const int64_t rows : {0, 1, 9, 257, 1500})  // 257 and more: in two passes
    for (const int64_t cols : {1, 31, 64, 264})
      compare_with_cpu("column_sum", 2e-6, 2e-6, [=](auto isa, auto t, Operands& o) {
        float* sum = o.out(0.0f, cols);
        column_sum(isa, sum, o.in(t, rows * cols), rows, cols);
      });
  check_figures("column_sum", {});
}

}  // namespace
}  // namespace lk::test
