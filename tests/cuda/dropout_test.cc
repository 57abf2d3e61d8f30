#include "engine/kernels/dropout.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda dropout: the same masks as on the CPU, to the bit") {
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    compare_with_cpu("dropout", 0, 0, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      dropout_forward(isa, y, o.in(t, n, 0.5, 1), n, 0.3f, 0x123456789abcdefull, 7);
    });
    compare_with_cpu("not aligned", 0, 0, [n](auto isa, auto t, Operands& o) {
      auto* y = o.in_out(t, n + 1);
      dropout_forward(isa, y + 1, o.in(t, n + 2, 0.5, 1) + 2, n, 0.3f, 3, 7);
    });
  }
  check_figures("dropout_forward", {});
}

}  // namespace
}  // namespace lk::test
