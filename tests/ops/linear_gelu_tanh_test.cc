#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/linear_reference.h"

namespace lk {
namespace {

using test::Numbers;

double gelu_tanh_of(double z) {
  return 0.5 * z * (1 + std::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
}

auto reference(int64_t rows, int64_t in, int64_t out, bool in_out) {
  return [z_of = test::linear_reference(rows, in, out, in_out)](const std::vector<Numbers>& x) {
    Numbers y = z_of(x);
    for (double& z : y) z = gelu_tanh_of(z);
    return y;
  };
}

// Of the outputs' counts, those of multiples of 8 are one product on CUDA, the others are not.
TEST_CASE("linear_gelu_tanh") {
  for (const bool in_out : {false, true})
    for (const auto& [rows, in, out] :
         {std::array<int64_t, 3>{6, 5, 1}, {31, 7, 33}, {5, 64, 8}, {33, 31, 64}, {1, 70, 136}}) {
      const Shape w = in_out ? Shape{in, out} : Shape{out, in};
      test::check_op(
          {.name = "linear_gelu_tanh",
           .shapes = {{rows, in}, w, {out}},
           .op = [in_out](const auto& x) { return linear_gelu_tanh(x[0], x[1], x[2], in_out); },
           .reference = reference(rows, in, out, in_out)});
      test::check_op(
          {.name = "linear_gelu_tanh without bias",
           .shapes = {{rows, in}, w},
           .op = [in_out](const auto& x) { return linear_gelu_tanh(x[0], x[1], {}, in_out); },
           .reference = reference(rows, in, out, in_out)});
    }
}

TEST_CASE("linear_gelu_tanh: shapes that do not fit are named") {
  CHECK_THROWS_WITH_AS(
      linear_gelu_tanh(Tensor::zeros({2, 3}, DType::f32), Tensor::zeros({5, 4}, DType::f32)),
      "linear_gelu_tanh: x is [2, 3] but the weight takes 4 features (weight [5, 4])", Error);
}

}  // namespace
}  // namespace lk
