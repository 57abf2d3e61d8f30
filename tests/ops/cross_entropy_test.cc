#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

test::Numbers reference(const test::Numbers& z, const std::vector<int32_t>& labels,
                        int64_t classes) {
  double loss = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == -100) continue;
    double total = 0;
    for (int64_t j = 0; j < classes; ++j)
      total += std::exp(z[i * static_cast<size_t>(classes) + static_cast<size_t>(j)]);
    loss += std::log(total) - z[i * static_cast<size_t>(classes) + static_cast<size_t>(labels[i])];
  }
  return {loss};
}

TEST_CASE("cross_entropy") {
  for (const int64_t classes : {2, 31, 33, 100}) {
    const std::vector<int32_t> labels{1, -100, 0, static_cast<int32_t>(classes - 1)};
    test::check_op({.name = "cross_entropy",
                    .shapes = {{4, classes}},
                    .op = [&](const auto& x) { return cross_entropy(x[0], labels); },
                    .reference = [&](const auto& x) { return reference(x[0], labels, classes); },
                    .low = -5,
                    .high = 5});
  }
  CHECK_THROWS_AS(cross_entropy(Tensor::zeros({1, 3}, DType::f32), std::vector<int32_t>{3}), Error);
}

}  // namespace
}  // namespace lk
