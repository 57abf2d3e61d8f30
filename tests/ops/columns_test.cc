#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("split_columns and concat_columns are each other's inverse") {
  for (const int64_t rows : {1, 33})
    test::check_op({.name = "columns",
                    .shapes = {{rows, 8}},
                    .op =
                        [](const auto& x) {
                          const auto parts = split_columns(x[0], {3, 1, 4});
                          return concat_columns({parts[2], parts[0], parts[1]});
                        },
                    .reference =
                        [rows](const auto& x) {
                          test::Numbers y;
                          for (int64_t i = 0; i < rows; ++i)
                            for (const int64_t j : {4, 5, 6, 7, 0, 1, 2, 3})
                              y.push_back(x[0][static_cast<size_t>(i * 8 + j)]);
                          return y;
                        }});
  CHECK_THROWS_AS(split_columns(Tensor::zeros({2, 5}, DType::f32), {2, 2}), Error);
}

}  // namespace
}  // namespace lk
