#include <doctest/doctest.h>

#include <cmath>

#include "engine/svd.h"
#include "tests/ops/op_case.h"
#include "tests/oracle.h"
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

}  // namespace
}  // namespace lk
