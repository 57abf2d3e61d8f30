#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using test::Numbers;

// Rows of gain.size() numbers each.
Numbers layer_norm_of(const Numbers& x, const Numbers& gain, const Numbers& bias) {
  Numbers y(x.size());
  const size_t d = gain.size();
  for (size_t row = 0; row < x.size(); row += d) {
    double mean = 0, var = 0;
    for (size_t j = 0; j < d; ++j) mean += x[row + j] / static_cast<double>(d);
    for (size_t j = 0; j < d; ++j) var += std::pow(x[row + j] - mean, 2) / static_cast<double>(d);
    for (size_t j = 0; j < d; ++j)
      y[row + j] =
          (x[row + j] - mean) / std::sqrt(var + static_cast<double>(1e-5f)) * gain[j] + bias[j];
  }
  return y;
}
Numbers rms_norm_of(const Numbers& x, const Numbers& gain) {
  Numbers y(x.size());
  const size_t d = gain.size();
  for (size_t row = 0; row < x.size(); row += d) {
    double square = 0;
    for (size_t j = 0; j < d; ++j) square += std::pow(x[row + j], 2) / static_cast<double>(d);
    for (size_t j = 0; j < d; ++j)
      y[row + j] = x[row + j] / std::sqrt(square + static_cast<double>(1e-2f)) * gain[j];
  }
  return y;
}
Numbers plus(Numbers a, const Numbers& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

TEST_CASE("layer_norm") {
  for (const int64_t rows : {1, 7})
    for (const int64_t d : {2, 31, 48, 65, 1023})
      test::check_op(
          {.name = "layer_norm",
           .shapes = {{rows, d}, {d}, {d}},
           .op = [](const auto& x) { return layer_norm(x[0], x[1], x[2], 1e-5f); },
           .reference =
               [](const std::vector<Numbers>& x) { return layer_norm_of(x[0], x[1], x[2]); },
           // Two elements of a row: the gradient is a small difference of large terms.
           .f32_gradient = d == 2 ? 2e-3 : 1e-5,
           .bf16_gradient = d == 2 ? 1.0 : 3e-2});
}

TEST_CASE("rms_norm of the parts of a row") {
  const int64_t rows = 3, parts = 4, d = 6;
  test::check_op(
      {.name = "rms_norm of heads",
       .shapes = {{rows, parts * d}, {d}},
       .op = [](const auto& x) { return rms_norm(x[0], x[1], 1e-2f); },
       .reference = [](const std::vector<Numbers>& x) { return rms_norm_of(x[0], x[1]); }});
}

TEST_CASE("rms_norm") {
  for (const int64_t rows : {1, 7})
    for (const int64_t d : {1, 31, 48, 65, 1023})
      test::check_op(
          {.name = "rms_norm",
           .shapes = {{rows, d}, {d}},
           .op = [](const auto& x) { return rms_norm(x[0], x[1], 1e-2f); },
           .reference = [](const std::vector<Numbers>& x) { return rms_norm_of(x[0], x[1]); },
           // One element a row: y hardly depends on x, its gradient is a difference of near equals.
           .f32_gradient = d == 1 ? 1e-3 : 1e-5,
           .bf16_gradient = d == 1 ? 0.5 : 3e-2});
}

// As a block uses them: the sum goes on beside its norm, and both have gradients.
TEST_CASE("add_layer_norm, add_rms_norm") {
  for (const int64_t rows : {1, 7})
    for (const int64_t d : {31, 48}) {
      const Shape shape{rows, d};
      test::check_op({.name = "add_layer_norm",
                      .shapes = {shape, shape, {d}, {d}},
                      .op =
                          [](const auto& x) {
                            const auto [sum, y] = add_layer_norm(x[0], x[1], x[2], x[3], 1e-5f);
                            return add(sum, y);
                          },
                      .reference =
                          [](const std::vector<Numbers>& x) {
                            const Numbers sum = plus(x[0], x[1]);
                            return plus(layer_norm_of(sum, x[2], x[3]), sum);
                          },
                      .parameters_stay_f32 = false});
      test::check_op({.name = "add_rms_norm",
                      .shapes = {shape, shape, {d}},
                      .op =
                          [](const auto& x) {
                            const auto [sum, y] = add_rms_norm(x[0], x[1], x[2], 1e-2f);
                            return add(sum, y);
                          },
                      .reference =
                          [](const std::vector<Numbers>& x) {
                            const Numbers sum = plus(x[0], x[1]);
                            return plus(rms_norm_of(sum, x[2]), sum);
                          },
                      .parameters_stay_f32 = false});
    }
}

TEST_CASE("add_layer_norm, add_rms_norm: the bits of the two ops") {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    const Tensor a = test::random_tensor({5, 48}, dtype, 1),
                 b = test::random_tensor({5, 48}, dtype, 2);
    const DType acc = dtype == DType::f64 ? DType::f64 : DType::f32;
    const Var gain = test::random_tensor({48}, acc, 3), bias = test::random_tensor({48}, acc, 4);
    const Tensor sum = add(a, b).value();
    const NormedSum layer = add_layer_norm(a, b, gain, bias, 1e-5f),
                    rms = add_rms_norm(a, b, gain, 1e-5f);
    CHECK(test::same_bits(layer.sum.value(), sum));
    CHECK(test::same_bits(rms.sum.value(), sum));
    CHECK(test::same_bits(layer.y.value(), layer_norm(sum, gain, bias, 1e-5f).value()));
    CHECK(test::same_bits(rms.y.value(), rms_norm(sum, gain, 1e-5f).value()));
  }
}

TEST_CASE("add_layer_norm, add_rms_norm: unlike summands are named") {
  const Var a = Tensor::zeros({2, 4}, DType::f32), b = Tensor::zeros({3, 4}, DType::f32),
            gain = Tensor::zeros({4}, DType::f32);
  CHECK(test::error_of([&] { add_rms_norm(a, b, gain, 1e-5f); }).find("add_rms_norm") !=
        std::string::npos);
  CHECK(test::error_of([&] { add_layer_norm(a, b, gain, gain, 1e-5f); }).find("[3, 4]") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
