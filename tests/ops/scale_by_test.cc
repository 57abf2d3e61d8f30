#include <doctest/doctest.h>

#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

using test::Numbers;

TEST_CASE("op: scale_by") {
  for (const auto& [rows, width] : {std::array<int64_t, 2>{1, 1}, {5, 31}, {33, 8}})
    test::check_op({.name = "scale_by",
                    .shapes = {{rows, width}, {1}},
                    .op = [](const auto& x) { return scale_by(x[0], x[1]); },
                    .reference =
                        [](const std::vector<Numbers>& x) {
                          Numbers y = x[0];
                          for (double& v : y) v *= x[1][0];
                          return y;
                        }});
  CHECK(test::error_of([] {
          scale_by(Tensor::zeros({2, 2}, DType::f32), Tensor::zeros({2}, DType::f32));
        }).find("one number") != std::string::npos);
}

}  // namespace
}  // namespace lk
