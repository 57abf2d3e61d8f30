#include "engine/kernels/random_normal.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda random_normal: the CPU's numbers to the last bits of log and cos") {
  for (const int64_t n : {1, 31, 33, 63, 65, 257, 1023, 50257})
    compare_with_f64("random_normal", 1e-6, 8e-3, [n](auto isa, auto t, Operands& o) {
      random_normal(isa, o.out(t, n), n, 0.02f, 11, 5);
    });
  compare_with_f64("not aligned", 1e-6, 8e-3, [](auto isa, auto t, Operands& o) {
    random_normal(isa, o.in_out(t, 301) + 1, 300, 0.02f, 11, 5);
  });
  check_figures("random_normal", {});
}

}  // namespace
}  // namespace lk::test
