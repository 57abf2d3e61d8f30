#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("sum") {
  test::check_op({.name = "sum",
                  .shapes = {{7, 5}},
                  .op = [](const auto& x) { return sum(x[0]); },
                  .reference =
                      [](const auto& x) {
                        double total = 0;
                        for (const double v : x[0]) total += v;
                        return test::Numbers{total};
                      },
                  .f32 = 1e-5});
}

}  // namespace
}  // namespace lk
