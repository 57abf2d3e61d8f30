#include "engine/kernels/kl_divergence.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda kl_divergence equals the CPU's in f64") {
  for (const int64_t classes : {1, 2, 31, 33, 1023, 4096, 50257}) {
    const int64_t rows = classes > 5000 ? 2 : 5;
    // In double on both sides, the loss of close distributions too.
    for (const double spread : {8.0, 1e-3})
      compare_with_f64("kl_divergence", 1e-6, 4e-3, [&](auto isa, auto t, Operands& o) {
        auto* dx = o.out(t, rows * classes);
        double* loss = o.out(0.0, rows);
        const auto *x = o.in(t, rows * classes, -spread, spread),
                   *target = o.in(t, rows * classes, -spread, spread);
        kl_divergence(isa, dx, loss, x, target, rows, classes);
      });
  }
  for (const int64_t classes : {1023, 16001})
    compare_with_f64(
        "dx lies elsewhere between sectors", 1e-6, 4e-3, [classes](auto isa, auto t, Operands& o) {
          auto* dx = o.in_out(t, 2 * classes + 1) + 1;
          double* loss = o.out(0.0, 2);
          const auto *x = o.in(t, 2 * classes, -8, 8), *target = o.in(t, 2 * classes, -8, 8);
          kl_divergence(isa, dx, loss, x, target, 2, classes);
        });
  compare_with_f64("a distribution that is the target's", 1e-12, 1e-12,
                   [](auto isa, auto t, Operands& o) {
                     auto* dx = o.out(t, 2 * 65);
                     double* loss = o.out(0.0, 2);
                     const auto* x = o.in(t, 2 * 65, -3, 3);
                     kl_divergence(isa, dx, loss, x, x, 2, 65);
                   });
  // Of two rows of 32768 in f32, shared memory keeps seven eighths.
  check_figures("kl_divergence", {});
}

}  // namespace
}  // namespace lk::test
