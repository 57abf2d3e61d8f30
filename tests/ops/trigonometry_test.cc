#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("sin and cos") {
  for (const int64_t n : {1, 31, 33}) {
    test::check_op({.name = "sin",
                    .shapes = {{n}},
                    .op = [](const auto& x) { return sin(x[0]); },
                    .reference =
                        [](const auto& x) {
                          test::Numbers y;
                          for (const double v : x[0]) y.push_back(std::sin(v));
                          return y;
                        },
                    .low = -4,
                    .high = 4});
    test::check_op({.name = "cos",
                    .shapes = {{n}},
                    .op = [](const auto& x) { return cos(x[0]); },
                    .reference =
                        [](const auto& x) {
                          test::Numbers y;
                          for (const double v : x[0]) y.push_back(std::cos(v));
                          return y;
                        },
                    .low = -4,
                    .high = 4});
  }
}

}  // namespace
}  // namespace lk
