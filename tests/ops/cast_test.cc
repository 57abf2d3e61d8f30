#include <doctest/doctest.h>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("cast keeps values that fit and brings the gradient back in the first dtype") {
  const Var x = Var::leaf(Tensor::from<float>({1.5f, -2.0f, 0.0f}));
  const Var y = cast(x, DType::bf16);
  CHECK(y.dtype() == DType::bf16);
  CHECK(y.value().to_vector<float>() == std::vector<float>{1.5f, -2.0f, 0.0f});
  backward(y, Tensor::from<float>({1.0f, 0.5f, -0.25f}).to(DType::bf16));
  CHECK(x.grad().dtype() == DType::f32);
  CHECK(x.grad().to_vector<float>() == std::vector<float>{1.0f, 0.5f, -0.25f});
}

}  // namespace
}  // namespace lk
