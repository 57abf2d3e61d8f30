#include "engine/kernels/pointwise.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

template <class F>
void check_pointwise(const char* name) {
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    // 3 and -5: both tails. The functions are the same code, sums are fused differently at most.
    compare_with_cpu(name, 1e-6, 8e-3, [n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, n);
      pointwise_forward<F>(isa, y, o.in(t, n, -5, 3), n);
    });
    if (n > 2000) continue;
    compare_with_cpu(name, 1e-6, 8e-3, [n](auto isa, auto t, Operands& o) {
      auto* dx = o.out(t, n);
      const auto* dy = o.in(t, n);
      pointwise_backward<F>(isa, dx, dy, o.in(t, n, -5, 3), n);
    });
  }
}

TEST_CASE("cuda pointwise: every function equals the CPU's") {
  check_pointwise<GeluExact>("gelu");
  check_pointwise<GeluTanh>("gelu_tanh");
  check_pointwise<Relu>("relu");
  check_pointwise<Silu>("silu");
  check_pointwise<Tanh>("tanh");
  check_pointwise<Sigmoid>("sigmoid");
  check_pointwise<Sin>("sin");
  check_pointwise<Cos>("cos");
}

TEST_CASE("cuda pointwise: operands that are not aligned to 16 bytes") {
  compare_with_cpu("relu", 0, 0, [](auto isa, auto t, Operands& o) {
    auto* y = o.in_out(t, 200, 0, 0);
    pointwise_forward<Relu>(isa, y + 1, o.in(t, 200) + 3, 150);
  });
}

TEST_CASE("cuda pointwise: figures") {
  check_figures("pointwise_forward", {});
  check_figures("pointwise_backward", {});
}

}  // namespace
}  // namespace lk::test
