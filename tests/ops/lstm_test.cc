#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk::test {
namespace {

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// Inputs: x [t, in], W_ih [4 h, in], W_hh [4 h, h], b_ih, b_hh [4 h].
Numbers reference(const std::vector<Numbers>& in, size_t t, size_t width, size_t h, bool reverse) {
  Numbers out(t * h), hidden(h, 0), cell(h, 0);
  for (size_t s = 0; s < t; ++s) {
    const size_t row = reverse ? t - 1 - s : s;
    Numbers gate(4 * h);
    for (size_t g = 0; g < 4 * h; ++g) {
      gate[g] = in[3][g] + in[4][g];
      for (size_t j = 0; j < width; ++j) gate[g] += in[0][row * width + j] * in[1][g * width + j];
      for (size_t j = 0; j < h; ++j) gate[g] += hidden[j] * in[2][g * h + j];
    }
    for (size_t j = 0; j < h; ++j) {
      cell[j] = logistic(gate[h + j]) * cell[j] + logistic(gate[j]) * std::tanh(gate[2 * h + j]);
      hidden[j] = logistic(gate[3 * h + j]) * std::tanh(cell[j]);
      out[row * h + j] = hidden[j];
    }
  }
  return out;
}

OpCase lstm_case(int t, int width, int h, bool reverse) {
  OpCase c;
  c.name = fmt::format("lstm {} x {} -> {}{}", t, width, h, reverse ? " reverse" : "");
  c.shapes = {{t, width}, {4 * h, width}, {4 * h, h}, {4 * h}, {4 * h}};
  c.op = [reverse](const std::vector<Var>& v) {
    return lstm(v[0], v[1], v[2], v[3], v[4], reverse);
  };
  c.reference = [=](const std::vector<Numbers>& in) {
    return reference(in, static_cast<size_t>(t), static_cast<size_t>(width), static_cast<size_t>(h),
                     reverse);
  };
  c.f32_gradient = 2e-5;  // sums over all steps before
  return c;
}

TEST_CASE("op: lstm") {
  check_op(lstm_case(1, 3, 2, false));
  check_op(lstm_case(5, 7, 3, false));
  check_op(lstm_case(5, 3, 4, true));
}

TEST_CASE("lstm refuses weights that do not fit") {
  const auto zeros = [](const Shape& s) { return Var(Tensor::zeros(s, DType::f32)); };
  CHECK(error_of([&] {
          lstm(zeros({2, 3}), zeros({8, 4}), zeros({8, 2}), zeros({8}), zeros({8}));
        }).find("do not fit") != std::string::npos);
}

}  // namespace
}  // namespace lk::test
