// A GPU does not say how a kernel moved its memory: the cases run, at sizes that people train with.
#include "tests/cuda/figures.h"

#include <doctest/doctest.h>

#include "cuda/cases.h"
#include "tests/cuda/watch.h"

namespace lk::test {

void check_figures_by_shape(const std::string& op,
                            const std::function<Expected(const std::string& shape)>&) {
  check_figures(op, {});
}

void check_figures(const std::string& op, const Expected&) {
  int found = 0;
  for (const KernelCase& one : kernel_cases()) {
    if (one.op != op) continue;
    ++found;
    CAPTURE(op);
    CAPTURE(one.shape);
    CaseMemory memory;
    const Watch watch;
    one.run(Cuda{}, memory);
    CHECK(watch.faults() == "");
  }
  CHECK(found > 0);
}

}  // namespace lk::test
