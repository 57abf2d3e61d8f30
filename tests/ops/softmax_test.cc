#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("softmax over the last dimension") {
  for (const int64_t n : {1, 2, 31, 33})
    test::check_op({.name = "softmax",
                    .shapes = {{3, n}},
                    .op = [](const auto& x) { return softmax(x[0]); },
                    .reference =
                        [n](const auto& x) {
                          test::Numbers y;
                          for (int64_t r = 0; r < 3; ++r) {
                            double total = 0;
                            for (int64_t i = 0; i < n; ++i)
                              total += std::exp(x[0][static_cast<size_t>(r * n + i)]);
                            for (int64_t i = 0; i < n; ++i)
                              y.push_back(std::exp(x[0][static_cast<size_t>(r * n + i)]) / total);
                          }
                          return y;
                        },
                    .low = -3,
                    .high = 3});
  // Large values do not overflow.
  const Tensor y = softmax(Tensor::full({1, 2}, DType::f32, 1e30)).value();
  CHECK(y.item(0) == 0.5);
}

}  // namespace
}  // namespace lk
