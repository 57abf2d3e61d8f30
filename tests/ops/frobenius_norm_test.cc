#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("frobenius_norm") {
  for (const int64_t n : {1, 31, 32, 33})
    test::check_op({.name = "frobenius_norm",
                    .shapes = {{3, n}},
                    .op = [](const auto& x) { return frobenius_norm(x[0]); },
                    .reference =
                        [](const auto& x) {
                          double total = 0;
                          for (const double v : x[0]) total += v * v;
                          return test::Numbers{std::sqrt(total)};
                        },
                    .low = 0.1});
  const Var zero = Var::leaf(Tensor::zeros({2, 2}, DType::f32));
  backward(frobenius_norm(zero));
  for (int i = 0; i < 4; ++i) CHECK(zero.grad().item(i) == 0);
}

}  // namespace
}  // namespace lk
