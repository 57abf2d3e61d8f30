#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("op: unlikelihood") {
  for (const int64_t size : {1, 31, 33, 257})
    test::check_op(
        {.name = "unlikelihood",
         .shapes = {{size}},
         // Log-probabilities stay f32 in a bf16 model: label_log_prob gives such.
         .op =
             [](const auto& x) {
               return cast(
                   unlikelihood(cast(x[0], x[0].dtype() == DType::f64 ? DType::f64 : DType::f32),
                                0.01),
                   x[0].dtype());
             },
         .reference =
             [](const std::vector<test::Numbers>& x) {
               test::Numbers y;
               for (const double v : x[0]) y.push_back(-std::log(1.01 - std::exp(v)));
               return y;
             },
         .low = -6,
         .high = -0.05});
  // p = 1: the largest loss, and no infinity.
  CHECK(unlikelihood(Tensor::zeros({1}, DType::f32), 0.01).value().item() ==
        doctest::Approx(-std::log(0.01)));
  CHECK(std::isnan(unlikelihood(Tensor::full({1}, DType::f32, NAN), 0.01).value().item()));
  CHECK(test::error_of([] {
          unlikelihood(Tensor::zeros({1}, DType::bf16), 0.01);
        }).find("expected f32 or f64") != std::string::npos);
}

}  // namespace
}  // namespace lk
