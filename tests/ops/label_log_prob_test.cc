#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("op: label_log_prob") {
  for (const int64_t classes : {2, 31, 33, 100}) {
    const std::vector<int32_t> labels{1, 0, static_cast<int32_t>(classes - 1), 1};
    test::check_op({.name = "label_log_prob",
                    .shapes = {{4, classes}},
                    .op = [&](const auto& x) { return label_log_prob(x[0], labels); },
                    .reference =
                        [&](const std::vector<test::Numbers>& x) {
                          test::Numbers y;
                          for (size_t i = 0; i < labels.size(); ++i) {
                            const double* row = x[0].data() + i * static_cast<size_t>(classes);
                            double total = 0;
                            for (int64_t j = 0; j < classes; ++j) total += std::exp(row[j]);
                            y.push_back(row[labels[i]] - std::log(total));
                          }
                          return y;
                        },
                    .low = -5,
                    .high = 5});
  }
  CHECK(test::error_of([] {
          label_log_prob(Tensor::zeros({1, 3}, DType::f32), std::vector<int32_t>{3});
        }).find("label 3 is outside the 3 classes") != std::string::npos);
  CHECK(test::error_of([] {
          label_log_prob(Tensor::zeros({1, 3}, DType::f32), std::vector<int32_t>{});
        }).find("0 labels for 1 rows") != std::string::npos);
}

}  // namespace
}  // namespace lk
