#include "engine/kernels/rows.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda gather_rows equals the CPU's to the bit, in every pair of dtypes") {
  const std::vector<int32_t> ids{3, 0, 3, 6, 1};
  for (const int64_t d : {1, 4, 8, 31, 33, 768}) {
    const auto body = [&](auto isa, auto out, auto in, Operands& o) {
      auto* y = o.out(out, 5 * d);
      gather_rows(isa, y, o.in(in, 7 * d), o.in(ids), 5, d);
    };
    compare_with_cpu("like", 0, 0, [&](auto isa, auto t, Operands& o) { body(isa, t, t, o); });
    compare_with_cpu("to f32", 0, 0, [&](auto isa, auto t, Operands& o) { body(isa, 0.0f, t, o); });
    compare_with_cpu("to bf16", 0, 0,
                     [&](auto isa, auto t, Operands& o) { body(isa, bf16{}, t, o); });
  }
  for (const int64_t d : {1, 8, 33})
    compare_with_cpu("zeros for -1", 0, 0, [&](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, 4 * d);
      gather_rows(isa, y, o.in(t, 7 * d), o.in(std::vector<int32_t>{-1, 6, 0, -1}), 4, d);
    });
  compare_with_cpu("no rows", 0, 0, [](auto isa, auto t, Operands& o) {
    auto* y = o.in_out(t, 8);
    gather_rows(isa, y, o.in(t, 8), o.in(std::vector<int32_t>{0}), 0, 8);
  });
  check_figures("gather_rows", {});
}

TEST_CASE(
    "cuda scatter_add_rows equals the CPU's to the bit: sums run in the order that was given") {
  const std::vector<int32_t> rows{5, 0, 2}, starts{0, 3, 3, 40};
  std::vector<int32_t> places;
  for (int32_t i = 0; i < 40; ++i) places.push_back(i * 7 % 40);
  for (const int64_t d : {1, 8, 31, 33, 768})
    compare_with_cpu("scatter_add_rows", 0, 0, [&](auto isa, auto t, Operands& o) {
      float* y = o.in_out(0.0f, 6 * d);
      const RowGroups groups{o.in(rows), o.in(starts), o.in(places), 3};
      scatter_add_rows(isa, y, o.in(t, 40 * d), groups, d);
    });
  check_figures("scatter_add_rows", {});
}

}  // namespace
}  // namespace lk::test
