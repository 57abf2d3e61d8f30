#include "engine/kernels/sparse_linear.h"

#include <algorithm>

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

// Row o of W has o % 4 values, at columns that repeat.
struct Sparse {
  std::vector<int32_t> starts{0}, which, columns;
  Sparse(int64_t out, int64_t in) {
    for (int32_t o = 0; o < out; ++o) {
      for (int32_t k = 0; k < o % 4; ++k) {
        which.push_back(static_cast<int32_t>(which.size()));
        columns.push_back(static_cast<int32_t>((o * 7 + k * k) % in));
      }
      starts.push_back(static_cast<int32_t>(which.size()));
    }
    std::reverse(which.begin(), which.end());
  }
};

TEST_CASE("cuda sparse_linear equals the CPU's") {
  for (const int64_t tokens : {1, 31, 33})
    for (const int64_t out : {4, 33, 1023}) {
      const int64_t in = 50;
      const Sparse w(out, in);
      const auto n = static_cast<int64_t>(w.which.size());
      compare_with_cpu("forward", 1e-6, 1e-2, [&](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, tokens * out);
        const SparseRows rows{o.in(w.starts), o.in(w.which), o.in(w.columns)};
        const auto* x = o.in(t, tokens * in);
        sparse_linear_forward(isa, y, x, o.in(0.0f, n), rows, tokens, out, in);
      });
      std::vector<int32_t> rows;
      for (int64_t i = 0; i < n; ++i) rows.push_back(static_cast<int32_t>(i * 5 % out));
      compare_with_cpu("values", 2e-6, 2e-6, [&](auto isa, auto t, Operands& o) {
        float* dv = o.out(0.0f, n);
        const auto *dy = o.in(t, tokens * out), *x = o.in(t, tokens * in);
        sparse_linear_values(isa, dv, dy, x, o.in(rows), o.in(w.columns), n, tokens, out, in);
      });
    }
}

TEST_CASE("cuda sparse_linear: figures") {
  // Single numbers of x, by way of the cache: a warp's lie in as many sectors as W has columns.
  check_figures("sparse_linear_forward", {.sector_efficiency = 0.18, .traffic = 7.0});
  check_figures("sparse_linear_values", {.sector_efficiency = 0.18, .traffic = 8.0});
}

}  // namespace
}  // namespace lk::test
