#include "engine/kernels/accumulate.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda accumulate equals the CPU's") {
  for (const int64_t n : {1, 31, 33, 1023, 50257})
    compare_with_cpu("accumulate", 0, 0, [n](auto isa, auto t, Operands& o) {
      auto* y = o.in_out(t, n);
      accumulate(isa, y, o.in(t, n), n);
    });
  check_figures("accumulate", {});
}

}  // namespace
}  // namespace lk::test
