#include "engine/kernels/square_sum.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda square_sum equals the CPU's") {
  for (const int64_t n : {0, 1, 31, 33, 1023, 70001})
    compare_with_cpu("square_sum", 1e-13, 1e-13, [n](auto isa, auto t, Operands& o) {
      double* sum = o.out(0.0, 1);
      square_sum(isa, sum, o.in(t, n + 1) + 1, n);
    });
  check_figures("square_sum", {});
}

TEST_CASE("square_sum against a plain sum, whatever the thread count") {
  for (const int64_t n : {0, 1, 63, 65, 4097}) {
    std::vector<float> x;
    double want = 0, got = -1;
    for (int64_t i = 0; i < n; ++i) {
      x.push_back(static_cast<float>(std::sin(static_cast<double>(i))));
      want += static_cast<double>(x.back()) * static_cast<double>(x.back());
    }
    on_float(DType::f32, [&](auto isa, auto) {
      square_sum(isa, &got, static_cast<const float*>(x.data()), n);
    });
    CHECK((std::abs(got - want) <= 1e-13 * want));
  }
}

}  // namespace
}  // namespace lk::test
