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

}  // namespace
}  // namespace lk::test
