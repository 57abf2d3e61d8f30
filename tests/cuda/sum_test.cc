#include "engine/kernels/sum.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda sum equals the CPU's") {
  for (const int64_t n : {0, 1, 31, 33, 1023, 70001})
    compare_with_cpu("sum", 1e-13, 1e-13, [n](auto isa, auto t, Operands& o) {
      double* total = o.out(0.0, 1);
      sum(isa, total, o.in(t, n + 1, 0, 1) + 1, n);
    });
  check_figures("sum", {});
}

}  // namespace
}  // namespace lk::test
