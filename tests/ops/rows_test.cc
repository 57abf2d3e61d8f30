#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

using test::Numbers;

const std::vector<int32_t> kRows{3, 0, 3, 1};

Numbers picked(const Numbers& x, int64_t d) {
  Numbers y;
  for (const int32_t r : kRows) y.insert(y.end(), x.begin() + r * d, x.begin() + (r + 1) * d);
  return y;
}

TEST_CASE("embedding and gather_rows add up rows that are picked twice") {
  for (const int64_t d : {1, 31, 130}) {
    test::check_op({.name = "embedding",
                    .shapes = {{5, d}},
                    .op = [](const auto& x) { return embedding(x[0], kRows, x[0].dtype()); },
                    .reference = [d](const auto& x) { return picked(x[0], d); }});
    test::check_op({.name = "gather_rows",
                    .shapes = {{5, d}},
                    .op = [](const auto& x) { return gather_rows(x[0], kRows); },
                    .reference = [d](const auto& x) { return picked(x[0], d); }});
  }
  CHECK_THROWS_AS(embedding(Tensor::zeros({5, 2}, DType::f32), std::vector<int32_t>{5}, DType::f32),
                  Error);
  CHECK_THROWS_AS(
      embedding(Tensor::zeros({5, 2}, DType::f32), std::vector<int32_t>{-1}, DType::f32), Error);
}

TEST_CASE("concat_rows and mean_pool") {
  test::check_op({.name = "concat_rows",
                  .shapes = {{2, 3}, {1, 3}},
                  .op =
                      [](const auto& x) {
                        return concat_rows({x[0], x[1]});
                      },
                  .reference =
                      [](const auto& x) {
                        Numbers y = x[0];
                        y.insert(y.end(), x[1].begin(), x[1].end());
                        return y;
                      },
                  .parameters_stay_f32 = false});
  const std::vector<int32_t> offsets{0, 2, 3};
  test::check_op(
      {.name = "mean_pool",
       .shapes = {{3, 2}},
       .op = [&](const auto& x) { return mean_pool(x[0], offsets); },
       .reference =
           [](const auto& x) {
             return Numbers{(x[0][0] + x[0][2]) / 2, (x[0][1] + x[0][3]) / 2, x[0][4], x[0][5]};
           }});
}

}  // namespace
}  // namespace lk
