#include "engine/kernels/transpose.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda transpose equals the CPU's in f64 to the bit") {
  struct Case {
    int64_t count, rows, cols;
  };
  for (const Case& c : {Case{1, 1, 1},
                        {1, 33, 31},
                        {3, 32, 64},
                        {5, 1, 1023},
                        {2, 70, 1},
                        {0, 3, 4},
                        {2, 72, 136},
                        {1, 8, 1023},
                        {1, 50257, 8},
                        {1, 8, 50256},
                        {1, 33, 1024}})
    compare_with_f64("transpose", 0, 0, [&](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, c.count * c.rows * c.cols);
      transpose(isa, y, o.in(t, c.count * c.rows * c.cols), c.count, c.rows, c.cols);
    });
  for (const int64_t from : {0, 1})
    compare_with_f64("not aligned", 0, 0, [from](auto isa, auto t, Operands& o) {
      auto* y = o.in_out(t, 64 * 72 + 1) + 1 - from;
      transpose(isa, y, o.in(t, 64 * 72 + 1) + from, 1, 64, 72);
    });
  compare_with_cpu<float>("f64", 0, [](auto isa, auto, Operands& o) {
    for (const int64_t cols : {31, 50}) {
      double* y = o.out(0.0, 3 * 34 * cols);
      transpose(isa, y, o.in(0.0, 3 * 34 * cols), 3, 34, cols);
    }
  });
  check_figures("transpose", {});
}

}  // namespace
}  // namespace lk::test
