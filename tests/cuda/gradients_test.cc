#include "engine/kernels/gradients.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

// A hundred tensors, some of none or few elements, one of several chunks; the first `skip` elements
// of each left out.
std::vector<Gradient<float>> hundred(Operands& o, int64_t skip) {
  std::vector<Gradient<float>> all;
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t n = i * 37 % 301 + (i == 50 ? 50257 : 0);
    all.push_back({o.in_out(0.0f, n + skip) + skip, n});
  }
  return all;
}

TEST_CASE("cuda gradients: sum of squares and scaling equal the CPU's") {
  for (const int64_t skip : {0, 1}) {
    compare_with_cpu<float>("gradients_square_sum", 1e-13, [=](auto isa, auto, Operands& o) {
      double* total = o.out(0.0, 1);
      const auto all = hundred(o, skip);
      gradients_square_sum(isa, total, all.data(), 100);
    });
    compare_with_cpu<float>("gradients_scale", 0, [=](auto isa, auto, Operands& o) {
      const auto all = hundred(o, skip);
      gradients_scale(isa, all.data(), 100, 0.37f);
    });
  }
  compare_with_cpu<float>("gradients_square_sum of none", 0, [](auto isa, auto, Operands& o) {
    double* total = o.out(0.0, 1);
    gradients_square_sum(isa, total, static_cast<const Gradient<float>*>(nullptr), 0);
  });
  check_figures("gradients_square_sum", {});
  check_figures("gradients_scale", {});
}

TEST_CASE("gradients: sum of squares and scaling against plain loops") {
  std::vector<float> x, y;
  double want = 0;
  for (int i = 0; i < 4097; ++i) {
    (i % 3 ? x : y).push_back(static_cast<float>(std::sin(i)));
    const double value = i % 3 ? x.back() : y.back();
    want += value * value;
  }
  const std::vector<float> was = x;
  const Gradient<float> both[] = {{x.data(), static_cast<int64_t>(x.size())},
                                  {y.data(), static_cast<int64_t>(y.size())}};
  on_float(DType::f32, [&](auto isa, auto) {
    double total = -1;
    gradients_square_sum(isa, &total, both, 2);
    CHECK((std::abs(total - want) <= 1e-13 * want));
    gradients_scale(isa, both, 2, 0.5f);
  });
  for (size_t i = 0; i < x.size(); ++i) REQUIRE(x[i] == was[i] * 0.5f);
}

}  // namespace
}  // namespace lk::test
