#include "engine/kernels/transpose.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda transpose equals the CPU's to the bit") {
  struct Case {
    int64_t count, rows, cols;
  };
  for (const Case& c :
       {Case{1, 1, 1}, {1, 33, 31}, {3, 32, 64}, {5, 1, 1023}, {2, 70, 1}, {0, 3, 4}})
    compare_with_cpu("transpose", 0, 0, [&](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, c.count * c.rows * c.cols);
      transpose(isa, y, o.in(t, c.count * c.rows * c.cols), c.count, c.rows, c.cols);
    });
  check_figures("transpose", {});
}

}  // namespace
}  // namespace lk::test
