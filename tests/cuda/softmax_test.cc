#include "engine/kernels/softmax.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

// Widths beside packs, those that stay in registers and those that do not.
constexpr int64_t kWidths[] = {1, 2, 31, 33, 512, 1023, 1024, 4096, 5003};

TEST_CASE("cuda softmax_forward equals the CPU's") {
  for (const int64_t width : kWidths)
    compare_with_cpu("softmax_forward", 2e-6, 1e-2, [width](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, 11 * width);
      softmax_forward(isa, y, o.in(t, 11 * width, -8, 8), 11, width);
    });
  compare_with_cpu("at another address", 2e-6, 1e-2, [](auto isa, auto t, Operands& o) {
    auto* y = o.out(t, 3 * 64);
    softmax_forward(isa, y, o.in(t, 3 * 64 + 1, -8, 8) + 1, 3, 64);
  });
  check_figures("softmax_forward", {});
}

TEST_CASE("cuda softmax of infinities and of what overflows") {
  compare_with_cpu("extremes", 1e-6, 1e-2, [](auto isa, auto t, Operands& o) {
    using T = decltype(t);
    std::vector<T> x(66, T(1e30f));
    for (size_t i = 0; i < 33; i += 2) x[i] = T(-INFINITY);
    auto* y = o.out(t, 66);
    softmax_forward(isa, y, o.in(x), 2, 33);
  });
}

TEST_CASE("cuda softmax_backward equals the CPU's") {
  for (const int64_t width : kWidths) {
    if (width == 1) continue;  // 0 but for rounding
    compare_with_cpu("softmax_backward", 2e-6, 1e-2, [width](auto isa, auto t, Operands& o) {
      auto* dx = o.out(t, 5 * width);
      const auto *dy = o.in(t, 5 * width), *y = o.in(t, 5 * width, 0, 2.0 / width);
      softmax_backward(isa, dx, dy, y, 5, width);
    });
  }
  check_figures("softmax_backward", {});
}

}  // namespace
}  // namespace lk::test
