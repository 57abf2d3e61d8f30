#include <doctest/doctest.h>

#include <cmath>

#include "tests/cuda/watch.h"
#include "tests/ops/op_case.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using test::Numbers;

// Element by element from the definition.
Numbers reference(const std::vector<Numbers>& in, size_t n, size_t p, size_t r, size_t q) {
  Numbers h(n * p * n * q, 0);
  for (size_t row = 0; row < n * p; ++row)
    for (size_t col = 0; col < n * q; ++col)
      for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < r; ++k)
          h[row * n * q + col] += in[0][(i * n + row / p) * n + col / q] *
                                  in[1][(i * p + row % p) * r + k] *
                                  in[2][(i * r + k) * q + col % q];
  return h;
}

TEST_CASE("op: phm_weight in f32 and f64") {
  for (const auto& [n, p, r, q] :
       {std::array<int64_t, 4>{1, 1, 1, 1}, {2, 3, 1, 5}, {3, 2, 2, 4}}) {
    const std::vector<Shape> shapes{{n, n, n}, {n, p, r}, {n, r, q}};
    std::vector<Numbers> values;
    std::vector<Var> leaves;
    uint64_t seed = 5;
    for (const Shape& s : shapes) {
      Numbers v(static_cast<size_t>(s.numel()));
      for (size_t i = 0; i < v.size(); ++i)
        v[i] = static_cast<double>((i * 37 + 11 * seed) % 19) / 9.5 - 1.0;
      ++seed;
      values.push_back(v);
      leaves.push_back(Var::leaf(Tensor::from<double>(v, s)));
    }
    const auto at = [&, n = static_cast<size_t>(n), p = static_cast<size_t>(p),
                     r = static_cast<size_t>(r),
                     q = static_cast<size_t>(q)] { return reference(values, n, p, r, q); };
    const Var h = phm_weight(leaves[0], leaves[1], leaves[2]);
    const Numbers expected = at();
    Numbers weight(expected.size());  // of each element in a sum whose gradient is checked
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.3 + 0.1 * static_cast<double>(i % 7);
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(h.value().item(static_cast<int64_t>(i)) == doctest::Approx(expected[i]).epsilon(1e-12));
    backward(h, Tensor::from<double>(weight, h.shape()));
    for (size_t input = 0; input < 3; ++input)
      for (size_t i = 0; i < values[input].size(); ++i) {
        const double keep = values[input][i], step = 1e-5;
        double difference = 0;
        for (const double sign : {1.0, -1.0}) {
          values[input][i] = keep + sign * step;
          const Numbers moved = at();
          for (size_t j = 0; j < moved.size(); ++j) difference += sign * weight[j] * moved[j];
        }
        values[input][i] = keep;
        CHECK(std::abs(leaves[input].grad().item(static_cast<int64_t>(i)) -
                       difference / (2 * step)) <= 1e-8);
      }
    const Var f = phm_weight(leaves[0].value().to(DType::f32), leaves[1].value().to(DType::f32),
                             leaves[2].value().to(DType::f32));
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(std::abs(f.value().item(static_cast<int64_t>(i)) - expected[i]) <= 1e-5);
  }
}

TEST_CASE("op: phm_weight on CUDA as in f64 on the CPU") {
  if (test::sanitized()) return;  // the emulator has a checker of its own
  const Tensor factors[] = {test::random_tensor({3, 3, 3}, DType::f64, 1),
                            test::random_tensor({3, 5, 2}, DType::f64, 2),
                            test::random_tensor({3, 2, 7}, DType::f64, 3)};
  const auto run = [&](DType dtype, Device device) {
    std::vector<Var> leaves;
    for (const Tensor& f : factors) leaves.push_back(Var::leaf(f.to(dtype).to(device)));
    const Var h = phm_weight(leaves[0], leaves[1], leaves[2]);
    backward(h, Tensor::full(h.shape(), dtype, 0.5).to(device));
    std::vector<Tensor> out{h.value().to(Device::cpu)};
    for (const Var& x : leaves) out.push_back(x.grad().to(Device::cpu));
    return out;
  };
  const test::Watch watch;
  const std::vector<Tensor> got = run(DType::f32, Device::cuda);
  CHECK(watch.faults() == "");
  const std::vector<Tensor> want = run(DType::f64, Device::cpu);
  for (size_t t = 0; t < want.size(); ++t)
    for (int64_t i = 0; i < want[t].numel(); ++i)
      CHECK(std::abs(got[t].item(i) - want[t].item(i)) <= 2e-6 * test::max_magnitude(want[t]));
}

TEST_CASE("phm_weight refuses factors that do not fit") {
  const auto zeros = [](const Shape& s) { return Var(Tensor::zeros(s, DType::f32)); };
  CHECK(test::error_of([&] {
          phm_weight(zeros({2, 2, 2}), zeros({2, 3, 1}), zeros({2, 2, 3}));
        }).find("do not fit") != std::string::npos);
}

}  // namespace
}  // namespace lk
