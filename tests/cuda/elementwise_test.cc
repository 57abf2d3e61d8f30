#include "engine/kernels/elementwise.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda elementwise: sums, products, SwiGLU equal the CPU's in f64") {
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    compare_with_f64("add", 1e-7, 4e-3, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      const auto* a = o.in(t, n);
      add_forward(isa, y, a, o.in(t, n), n);
    });
    compare_with_f64("mul", 1e-7, 4e-3, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      const auto* a = o.in(t, n);
      mul_forward(isa, y, a, o.in(t, n), n);
    });
    compare_with_f64("scale", 1e-7, 4e-3, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      scale_forward(isa, y, o.in(t, n), 0.375f, n);
    });
    compare_with_f64("swiglu", 1e-6, 4e-3, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      const auto* gate = o.in(t, n, -4, 4);
      swiglu_forward(isa, y, gate, o.in(t, n), n);
    });
    for (int need = 0; need < 4; ++need)
      compare_with_f64("swiglu_backward", 1e-6, 4e-3, [n, need](auto isa, auto t, Operands& o) {
        auto *dgate = need & 1 ? o.out(t, n) : nullptr, *dup = need & 2 ? o.out(t, n) : nullptr;
        const auto *dy = o.in(t, n), *gate = o.in(t, n, -4, 4);
        swiglu_backward(isa, dgate, dup, dy, gate, o.in(t, n), n);
      });
  }
}

TEST_CASE("cuda elementwise: a row repeated over rows") {
  for (const int64_t rows : {1, 9, 300})
    for (const int64_t cols : {1, 31, 33, 64, 300, 1023, 50257}) {
      if (rows > 1 && cols > 2000) continue;
      compare_with_f64("add_row", 1e-7, 4e-3, [=](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, rows * cols);
        const auto* x = o.in(t, rows * cols);
        add_row_forward(isa, y, x, o.in(acc_t<decltype(t)>{}, cols), rows, cols);
      });
      if (rows > 9) continue;
      compare_with_f64("mul_row", 1e-7, 4e-3, [=](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, rows * cols);
        const auto* x = o.in(t, rows * cols);
        mul_row_forward(isa, y, x, o.in(acc_t<decltype(t)>{}, cols), rows, cols);
      });
      compare_with_f64("mul_column", 1e-7, 4e-3, [=](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, rows * cols);
        const auto* x = o.in(t, rows * cols);
        mul_column_forward(isa, y, x, o.in(acc_t<decltype(t)>{}, rows), rows, cols);
      });
    }
}

TEST_CASE("cuda elementwise: figures") {
  check_figures("add_forward", {});
  check_figures("mul_forward", {});
  check_figures("scale_forward", {});
  // In bf16 a lane takes its eight values of the row in two accesses of half a sector each.
  check_figures("add_row_forward", {.sector_efficiency = 0.9});
  check_figures("mul_row_forward", {.sector_efficiency = 0.9});
  check_figures("mul_column_forward", {});
  check_figures("swiglu_forward", {});
  check_figures("swiglu_backward", {});
}

}  // namespace
}  // namespace lk::test
