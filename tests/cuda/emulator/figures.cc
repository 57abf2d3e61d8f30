#include "tests/cuda/figures.h"

#include <doctest/doctest.h>

#include "cuda/measure.h"

namespace lk::test {

void check_figures(const std::string& op, const Expected& expected) {
  check_figures_by_shape(op, [&](const std::string&) { return expected; });
}

void check_figures_by_shape(const std::string& op,
                            const std::function<Expected(const std::string& shape)>& expected) {
  int found = 0;
  for (const KernelCase& one : kernel_cases()) {
    if (one.op != op) continue;
    ++found;
    const Figures f = measure(one);
    const Expected e = expected(one.shape);
    CAPTURE(op);
    CAPTURE(one.shape);
    CHECK(f.sector_efficiency >= e.sector_efficiency);
    CHECK(f.traffic <= e.traffic);
    CHECK(f.bank_conflicts <= e.bank_conflicts);
    CHECK(f.active_lanes >= e.active_lanes);
  }
  CHECK(found > 0);
}

}  // namespace lk::test
