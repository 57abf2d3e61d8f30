#include <doctest/doctest.h>

#include <cmath>

#include "engine/svd.h"
#include "tests/cuda/watch.h"
#include "tests/ops/op_case.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

// Not an OpCase: LAPACK has no bf16. The gradient of sum(C * X^-1) by central differences.
TEST_CASE("inverse: the gradient in f64") {
  const Tensor start = test::random_tensor({5, 5}, DType::f64, 1),
               weights = test::random_tensor({5, 5}, DType::f64, 2);
  const Var x = Var::leaf(start.clone());
  backward(sum(mul(inverse(x), weights)));
  const NoGrad no_grad;
  for (int64_t i = 0; i < 25; ++i) {
    const auto at = [&](double step) {
      const Tensor moved = start.clone();
      moved.data<double>()[i] += step;
      return sum(mul(inverse(Var(moved)), weights)).value().item();
    };
    const double numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
    CHECK(std::abs(x.grad().item(i) - numeric) <= 1e-5 * test::max_magnitude(x.grad()));
  }
}

TEST_CASE("inverse: on CUDA as in f64 on the CPU, with its gradient") {
  if (test::sanitized()) return;  // the emulator has a checker of its own
  const Tensor start = test::random_tensor({9, 9}, DType::f64, 1),
               weights = test::random_tensor({9, 9}, DType::f64, 2);
  const auto run = [&](DType dtype, Device device) {
    const Var x = Var::leaf(start.to(dtype).to(device));
    const Var y = inverse(x);
    backward(sum(mul(y, weights.to(dtype).to(device))));
    return std::pair(y.value().to(Device::cpu), x.grad().to(Device::cpu));
  };
  const test::Watch watch;
  const auto [y, dx] = run(DType::f32, Device::cuda);
  CHECK(watch.faults() == "");
  const auto [want, want_dx] = run(DType::f64, Device::cpu);
  for (int64_t i = 0; i < 81; ++i) {
    CHECK(std::abs(y.item(i) - want.item(i)) <= 1e-5 * test::max_magnitude(want));
    CHECK(std::abs(dx.item(i) - want_dx.item(i)) <= 5e-5 * test::max_magnitude(want_dx));
  }
}

}  // namespace
}  // namespace lk
