#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

using test::Numbers;

TEST_CASE("low_rank_add") {
  for (const auto& [rows, in, out, r] :
       {std::array<int64_t, 4>{1, 1, 1, 1}, {31, 7, 33, 4}, {5, 64, 3, 8}})
    test::check_op({.name = "low_rank_add",
                    .shapes = {{rows, out}, {rows, in}, {r, in}, {out, r}},
                    .op =
                        [](const auto& x) {
                          // In bf16 the base is bf16 like x, whatever dtype the harness gave it.
                          return low_rank_add(x[0], cast(x[1], x[0].dtype()), x[2], x[3], 1.5f);
                        },
                    .reference =
                        [rows = rows, in = in, out = out, r = r](const std::vector<Numbers>& x) {
                          Numbers y = x[0];
                          for (int64_t i = 0; i < rows; ++i)
                            for (int64_t o = 0; o < out; ++o)
                              for (int64_t l = 0; l < r; ++l)
                                for (int64_t k = 0; k < in; ++k)
                                  y[static_cast<size_t>(i * out + o)] +=
                                      1.5 * x[1][static_cast<size_t>(i * in + k)] *
                                      x[2][static_cast<size_t>(l * in + k)] *
                                      x[3][static_cast<size_t>(o * r + l)];
                          return y;
                        }});
}

TEST_CASE("low_rank_add leaves a base that somebody else holds alone") {
  const Tensor base = Tensor::full({2, 2}, DType::f32, 1.0),
               one = Tensor::full({2, 2}, DType::f32, 1.0);
  const Var y = low_rank_add(Var(base), one, one, one, 1.0f);
  CHECK(base.item(0) == 1.0);
  CHECK(y.value().item(0) == 5.0);
}

}  // namespace
}  // namespace lk
