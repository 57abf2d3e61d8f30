#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

using test::Numbers;

TEST_CASE("view and transpose") {
  for (const int64_t n : {1, 31, 33}) {
    test::check_op({.name = "view",
                    .shapes = {{2, 3 * n}},
                    .op =
                        [n](const auto& x) {
                          return view(x[0], {2 * n, 3});
                        },
                    .reference = [](const auto& x) { return x[0]; }});
    test::check_op({.name = "transpose",
                    .shapes = {{3, n}},
                    .op = [](const auto& x) { return transpose(x[0]); },
                    .reference =
                        [n](const auto& x) {
                          Numbers y;
                          for (int64_t j = 0; j < n; ++j)
                            for (int64_t i = 0; i < 3; ++i)
                              y.push_back(x[0][static_cast<size_t>(i * n + j)]);
                          return y;
                        }});
  }
}

TEST_CASE("transpose of each matrix of a stack") {
  for (const int64_t n : {1, 31, 33})
    test::check_op({.name = "transpose",
                    .shapes = {{2, n, 3}},
                    .op = [](const auto& x) { return transpose(x[0]); },
                    .reference =
                        [n](const auto& x) {
                          Numbers y;
                          for (int64_t b = 0; b < 2; ++b)
                            for (int64_t j = 0; j < 3; ++j)
                              for (int64_t i = 0; i < n; ++i)
                                y.push_back(x[0][static_cast<size_t>((b * n + i) * 3 + j)]);
                          return y;
                        }});
}

TEST_CASE("take adds up what is taken twice and leaves holes at 0") {
  const auto index = std::make_shared<const Places>(std::vector<int32_t>{4, -1, 0, 4, 2, 4});
  test::check_op(
      {.name = "take",
       .shapes = {{5}},
       .op =
           [&](const auto& x) {
             return take(x[0], index, {2, 3});
           },
       .reference =
           [](const auto& x) { return Numbers{x[0][4], 0, x[0][0], x[0][4], x[0][2], x[0][4]}; }});
  CHECK_THROWS_AS(take(Tensor::zeros({4}, DType::f32), index, {2, 3}), Error);
  CHECK_THROWS_AS(take(Tensor::zeros({5}, DType::f32), index, {7}), Error);
}

}  // namespace
}  // namespace lk
