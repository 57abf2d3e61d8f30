#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("sparse_linear adds up values at the same place") {
  const std::vector<int32_t> rows{0, 2, 2, 0, 2}, cols{1, 0, 3, 1, 3};
  std::vector<int32_t> both = rows;
  both.insert(both.end(), cols.begin(), cols.end());
  const Tensor table = Tensor::from<int32_t>(both, {2, 5});
  const auto places = std::make_shared<const SparsePlaces>(table, 3, 4);
  for (const int64_t t : {1, 31, 33, 300})
    test::check_op({.name = "sparse_linear",
                    .shapes = {{t, 4}, {5}},
                    .op = [&](const auto& x) { return sparse_linear(x[0], x[1], places); },
                    .reference =
                        [&](const auto& x) {
                          test::Numbers y(static_cast<size_t>(t * 3), 0.0);
                          for (int64_t i = 0; i < t; ++i)
                            for (size_t k = 0; k < 5; ++k)
                              y[static_cast<size_t>(i * 3 + rows[k])] +=
                                  x[1][k] * x[0][static_cast<size_t>(i * 4 + cols[k])];
                          return y;
                        }});
  const Var x = Tensor::zeros({1, 3}, DType::f32), v = Tensor::zeros({5}, DType::f32);
  CHECK_THROWS_AS(sparse_linear(x, v, places), Error);
  CHECK_THROWS_AS(SparsePlaces(table, 2, 4), Error);
}

}  // namespace
}  // namespace lk
