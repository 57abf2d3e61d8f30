#include <doctest/doctest.h>

#include "engine/gemm.h"
#include "tests/ops/linear_reference.h"

namespace lk {
namespace {

TEST_CASE("linear") {
  for (const bool in_out : {false, true})
    for (const auto& [rows, in, out] : {std::array<int64_t, 3>{1, 1, 1},
                                        {31, 7, 33},
                                        {5, 64, 3},
                                        {1, 70, 131},
                                        {2, 33, 30},
                                        {3, 131, 5},
                                        {4, 64, 9}}) {
      const Shape w = in_out ? Shape{in, out} : Shape{out, in};
      test::check_op({.name = "linear",
                      .shapes = {{rows, in}, w, {out}},
                      .op = [in_out](const auto& x) { return linear(x[0], x[1], x[2], in_out); },
                      .reference = test::linear_reference(rows, in, out, in_out)});
      test::check_op({.name = "linear without bias",
                      .shapes = {{rows, in}, w},
                      .op = [in_out](const auto& x) { return linear(x[0], x[1], {}, in_out); },
                      .reference = test::linear_reference(rows, in, out, in_out)});
    }
}

TEST_CASE("linear: a frozen weight costs no product, a frozen input neither") {
  const Tensor x = Tensor::full({4, 8}, DType::f32, 0.5),
               w = Tensor::full({6, 8}, DType::f32, 0.25);
  const auto products = [](const Var& a, const Var& b) {
    const int64_t before = gemm_counters().calls;
    const Var y = linear(a, b);
    if (y.needs_grad()) backward(sum(y));
    return gemm_counters().calls - before;
  };
  CHECK(products(x, w) == 1);
  CHECK(products(Var::leaf(x), w) == 2);
  CHECK(products(x, Var::leaf(w)) == 2);
  CHECK(products(Var::leaf(x), Var::leaf(w)) == 3);
}

TEST_CASE("linear: shapes that do not fit are named") {
  CHECK_THROWS_WITH_AS(linear(Tensor::zeros({2, 3}, DType::f32), Tensor::zeros({5, 4}, DType::f32)),
                       "linear: x is [2, 3] but the weight takes 4 features (weight [5, 4])",
                       Error);
}

}  // namespace
}  // namespace lk
