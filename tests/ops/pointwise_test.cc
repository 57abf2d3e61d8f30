#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

void check(const char* name, Var (*op)(const Var&), double (*f)(double), double low = -4,
           double high = 4) {
  for (const int64_t size : {1, 31, 33, 257})
    test::check_op({.name = name,
                    .shapes = {{size}},
                    .op = [op](const std::vector<Var>& x) { return op(x[0]); },
                    .reference =
                        [f](const std::vector<test::Numbers>& x) {
                          test::Numbers y;
                          for (const double v : x[0]) y.push_back(f(v));
                          return y;
                        },
                    .low = low,
                    .high = high,
                    .f32 = 5e-6});
}

TEST_CASE("gelu") {
  check("gelu", gelu, [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); });
}
TEST_CASE("gelu_tanh") {
  check("gelu_tanh", gelu_tanh, [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  });
}
TEST_CASE("relu") {
  check("relu", relu, [](double x) { return x > 0 ? x : 0; });
}
TEST_CASE("silu") {
  check("silu", silu, [](double x) { return x / (1 + std::exp(-x)); });
}
TEST_CASE("tanh") {
  check("tanh", lk::tanh, [](double x) { return std::tanh(x); });
}
TEST_CASE("sigmoid") {
  check(
      "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -20, 20);
}

TEST_CASE("sin and cos") {
  check("sin", lk::sin, [](double x) { return std::sin(x); });
  check("cos", lk::cos, [](double x) { return std::cos(x); });
  for (const double far : {-3000.3, 777.7, 9999.5}) {  // many turns away
    const Var x = Tensor::full({1}, DType::f32, far);
    const double at = x.value().item();
    CHECK(std::abs(lk::sin(x).value().item() - std::sin(at)) <= 2e-6);
    CHECK(std::abs(lk::cos(x).value().item() - std::cos(at)) <= 2e-6);
  }
}

TEST_CASE("pointwise functions keep NaN") {
  const Tensor nan = Tensor::full({3}, DType::f32, NAN);
  for (Var (*op)(const Var&) : {gelu, gelu_tanh, relu, silu, lk::tanh, sigmoid, lk::sin, lk::cos})
    CHECK(std::isnan(op(Var(nan)).value().item(1)));
}

}  // namespace
}  // namespace lk
