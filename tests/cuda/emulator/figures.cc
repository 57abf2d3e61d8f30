#include "tests/cuda/figures.h"

#include <doctest/doctest.h>

#include "cuda/measure.h"

namespace lk::test {

void check_figures(const std::string& op, const Expected& expected) {
  int found = 0;
  for (const KernelCase& one : kernel_cases()) {
    if (one.op != op) continue;
    ++found;
    const Figures f = measure(one);
    CAPTURE(op);
    CAPTURE(one.shape);
    CHECK(f.sector_efficiency >= expected.sector_efficiency);
    CHECK(f.traffic <= expected.traffic);
    CHECK(f.bank_conflicts <= expected.bank_conflicts);
    CHECK(f.active_lanes >= expected.active_lanes);
  }
  CHECK(found > 0);
}

}  // namespace lk::test
