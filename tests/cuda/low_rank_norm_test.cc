#include "engine/kernels/low_rank_norm.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda low_rank_norm equals the CPU's") {
  for (const int64_t out : {1, 31, 33, 1023})
    for (const bool inverse : {false, true})
      compare_with_cpu<float>("low_rank_norm", 1e-6, [&](auto isa, auto t, Operands& o) {
        const int64_t r = out == 33 ? 19 : 5;
        auto* n = o.out(t, out);
        const double* squares = o.in(0.0, out, 8, 20);
        const auto *b = o.in(t, out * r), *wa = o.in(t, r * out), *baa = o.in(t, out * r);
        low_rank_norm(isa, n, squares, b, wa, baa, out, r, 0.5, inverse);
      });
  check_figures("low_rank_norm", {});
}

}  // namespace
}  // namespace lk::test
