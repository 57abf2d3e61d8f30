#include "engine/kernels/rotary.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda rotary equals the CPU's, both ways") {
  for (const bool inverse : {false, true})
    for (const int64_t rows : {1, 37})
      for (const int64_t d : {2, 6, 16, 64})
        compare_with_cpu("rotary", 1e-6, 8e-3, [=](auto isa, auto t, Operands& o) {
          const int64_t heads = 3, n = rows * heads * d;
          auto* y = o.out(t, n);
          const auto* x = o.in(t, n);
          const float *cos = o.in(0.0f, rows * d / 2), *sin = o.in(0.0f, rows * d / 2);
          rotary_forward(isa, y, x, cos, sin, rows, heads, d, inverse);
        });
  // In bf16 a lane's eight angles take two accesses of half a sector each, once for 32 heads.
  check_figures("rotary_forward", {});
}

TEST_CASE("cuda rotary_table equals the CPU's") {
  for (const int64_t half : {1, 3, 32}) {
    const std::vector<int32_t> positions{0, 1, 5, 2047, 31, 4};
    const auto rows = static_cast<int64_t>(positions.size());
    compare_with_cpu<float>("rotary_table", 1e-6, [&](auto isa, auto, Operands& o) {
      float *cos = o.out(0.0f, rows * half), *sin = o.out(0.0f, rows * half);
      rotary_table(isa, cos, sin, o.in(positions), o.in(0.0f, half, 0, 1), rows, half, 1.25f);
    });
  }
  check_figures("rotary_table", {});
}

}  // namespace
}  // namespace lk::test
