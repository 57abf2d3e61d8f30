#include <doctest/doctest.h>

#include "tests/cuda/watch.h"
#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("cast keeps values that fit and brings the gradient back in the first dtype") {
  for (const Device device : {Device::cpu, Device::cuda}) {
    if (device == Device::cuda && test::sanitized()) continue;  // the emulator has its own checker
    CAPTURE(name_of(device));
    const test::Watch watch;
    const Var x = Var::leaf(Tensor::from<float>({1.5f, -2.0f, 0.0f}).to(device));
    const Var y = cast(x, DType::bf16);
    CHECK(y.dtype() == DType::bf16);
    CHECK(y.value().to_vector<float>() == std::vector<float>{1.5f, -2.0f, 0.0f});
    backward(y, Tensor::from<float>({1.0f, 0.5f, -0.25f}).to(DType::bf16).to(device));
    CHECK(watch.faults() == "");
    CHECK(x.grad().dtype() == DType::f32);
    CHECK(x.grad().to_vector<float>() == std::vector<float>{1.0f, 0.5f, -0.25f});
  }
}

}  // namespace
}  // namespace lk
