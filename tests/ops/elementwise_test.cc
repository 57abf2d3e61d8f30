#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

using test::Numbers;

TEST_CASE("add, mul, swiglu") {
  for (const int64_t n : {1, 31, 257}) {
    const std::vector<Shape> shapes{{n, 3}, {n, 3}};
    const auto each = [](double (*f)(double, double)) {
      return [f](const std::vector<Numbers>& x) {
        Numbers y;
        for (size_t i = 0; i < x[0].size(); ++i) y.push_back(f(x[0][i], x[1][i]));
        return y;
      };
    };
    test::check_op({.name = "add",
                    .shapes = shapes,
                    .op = [](const auto& x) { return add(x[0], x[1]); },
                    .reference = each([](double a, double b) { return a + b; }),
                    .parameters_stay_f32 = false});
    test::check_op({.name = "mul",
                    .shapes = shapes,
                    .op = [](const auto& x) { return mul(x[0], x[1]); },
                    .reference = each([](double a, double b) { return a * b; }),
                    .parameters_stay_f32 = false});
    test::check_op(
        {.name = "swiglu",
         .shapes = shapes,
         .op = [](const auto& x) { return swiglu(x[0], x[1]); },
         .reference = each([](double a, double b) { return a / (1 + std::exp(-a)) * b; }),
         .low = -3,
         .high = 3,
         .parameters_stay_f32 = false});
  }
}

TEST_CASE("add_row, mul_row, scale") {
  for (const int64_t rows : {1, 33})
    for (const int64_t cols : {1, 31, 300}) {
      const std::vector<Shape> shapes{{rows, cols}, {cols}};
      const auto each = [cols](bool product) {
        return [cols, product](const std::vector<Numbers>& x) {
          Numbers y;
          for (size_t i = 0; i < x[0].size(); ++i) {
            const double r = x[1][i % static_cast<size_t>(cols)];
            y.push_back(product ? x[0][i] * r : x[0][i] + r);
          }
          return y;
        };
      };
      test::check_op({.name = "add_row",
                      .shapes = shapes,
                      .op = [](const auto& x) { return add_row(x[0], x[1]); },
                      .reference = each(false)});
      test::check_op({.name = "mul_row",
                      .shapes = shapes,
                      .op = [](const auto& x) { return mul_row(x[0], x[1]); },
                      .reference = each(true)});
    }
  test::check_op({.name = "scale",
                  .shapes = {{31, 3}},
                  .op = [](const auto& x) { return scale(x[0], -2.5f); },
                  .reference =
                      [](const std::vector<Numbers>& x) {
                        Numbers y;
                        for (const double v : x[0]) y.push_back(-2.5 * v);
                        return y;
                      }});
}

}  // namespace
}  // namespace lk
