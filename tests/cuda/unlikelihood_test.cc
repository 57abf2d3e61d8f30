#include "engine/kernels/unlikelihood.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda unlikelihood equals the CPU's, up to p = 1") {
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    compare_with_f64<float>("forward", 1e-6, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      unlikelihood_forward(isa, y, o.in(t, n, -6, 0), n, 0.01);
    });
    compare_with_f64<float>("backward", 1e-6, [n](auto isa, auto t, Operands& o) {
      auto* dx = o.out(t, n);
      const auto *dy = o.in(t, n), *x = o.in(t, n, -6, 0);
      unlikelihood_backward(isa, dx, dy, x, n, 0.01);
    });
  }
  check_figures("unlikelihood_forward", {});
  check_figures("unlikelihood_backward", {});
}

}  // namespace
}  // namespace lk::test
