#include "engine/dry_run.h"

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "tests/support.h"

namespace lk {
namespace {

constexpr int64_t kGiga = 1 << 30;

TEST_CASE("dry run: tensors are counted, and none of their memory is touched" *
          doctest::skip(test::sanitized())) {
  const int64_t live = memory_stats().total_live, rss = rss_bytes();
  {
    const DryRun dry;
    CHECK(dry_run());
    const Tensor a = Tensor::zeros({1 << 15, 1 << 15}, DType::f32),
                 b = Tensor::full({1 << 15, 1 << 15}, DType::f32, 1);
    CHECK(memory_stats().total_live - live == 8 * kGiga);
    const Tensor c = Tensor::empty({1 << 15, 1 << 15}, DType::f32);
    gemm(c, a, b);
    const Var y = add(Var::leaf(c.clone()), Var(a.to(DType::bf16).to(DType::f32)));
    backward(y, c);
    CHECK(memory_stats().total_live - live >= 16 * kGiga);
    CHECK(rss_bytes() - rss < kGiga / 8);
  }
  release_cached_memory();
  CHECK(memory_stats().total_live == live);
  CHECK(!dry_run());
}

TEST_CASE(
    "dry run: whole numbers and small tensors hold what they should, results come back after") {
  {
    const DryRun outer;
    { const DryRun inner; }
    CHECK(dry_run());
    const Tensor index = Tensor::from(std::vector<int32_t>{3, 1, 2});
    CHECK(index.clone().to_vector<int>() == std::vector<int>{3, 1, 2});
    CHECK(Tensor::zeros({2}, DType::i32).item(1) == 0);
    CHECK(Tensor::empty({5}, DType::f32).item(4) == 0);
  }
  const Tensor a = Tensor::full({2, 2}, DType::f32, 3), c = Tensor::zeros({2, 2}, DType::f32);
  gemm(c, a, a);
  CHECK(c.item(3) == 18);
}

}  // namespace
}  // namespace lk
