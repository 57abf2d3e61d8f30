// Products on the device through the emulated cuBLASLt: that shapes, transpositions, epilogues and
// alignments are handed over rightly. On a GPU the same calls reach NVIDIA's library.
#include "engine/gemm.h"

#include <cmath>

#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

// The largest difference to the CPU's over the largest magnitude.
double error_to_cpu(const Shape& mnk, DType ab, DType c, GemmOptions o, bool biased,
                    int64_t skip = 0) {
  const int64_t m = mnk[0], n = mnk[1], k = mnk[2];
  const auto matrix = [&](int64_t rows, int64_t cols, DType dtype, uint64_t seed) {
    // `skip` rows before it: another alignment.
    return random_tensor({rows + skip, cols}, dtype, seed).rows(skip, skip + rows);
  };
  const Tensor a = o.transpose_a ? matrix(k, m, ab, 1) : matrix(m, k, ab, 1),
               b = o.transpose_b ? matrix(n, k, ab, 2) : matrix(k, n, ab, 2),
               bias = random_tensor({n}, DType::f32, 3), start = matrix(m, n, c, 4);
  const Tensor want = start.clone(), got = start.to(Device::cuda),
               bias_there = bias.to(Device::cuda);
  o.bias = biased ? &bias : nullptr;
  gemm(want, a, b, o);
  o.bias = biased ? &bias_there : nullptr;
  const Tensor a_there =
      Tensor::empty({a.dim(0) + skip, a.dim(1)}, ab, Device::cuda).rows(skip, a.dim(0) + skip);
  a_there.copy_from(a);
  gemm(got, a_there, b.to(Device::cuda), o);
  double most = 0, error = 0;
  for (int64_t i = 0; i < want.numel(); ++i) {
    const double d = std::abs(want.item(i) - got.item(i));
    if (!std::isfinite(d)) return HUGE_VAL;
    error = std::max(error, d);
    most = std::max(most, std::abs(want.item(i)));
  }
  return error / most;
}

TEST_CASE("cuda gemm equals the CPU's for every transposition, dtype and epilogue") {
  for (const Shape& mnk : {Shape{1, 1, 1}, Shape{5, 7, 3}, Shape{33, 31, 65}, Shape{2, 64, 40}})
    for (const auto& dtypes :
         {std::pair{DType::f32, DType::f32}, {DType::bf16, DType::bf16}, {DType::bf16, DType::f32}})
      for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
          const DType ab = dtypes.first, c = dtypes.second;
          CAPTURE(mnk.str());
          CAPTURE(name_of(ab));
          CAPTURE(name_of(c));
          CAPTURE(ta);
          CAPTURE(tb);
          // bf16 results: one rounding of 8 bits, and the bias is rounded too.
          const double tolerance = c == DType::f32 ? 2e-6 : 8e-3;
          const GemmOptions plain{.transpose_a = ta, .transpose_b = tb};
          GemmOptions scaled = plain, sum = plain;
          scaled.alpha = -1.5f;
          sum.alpha = 0.5f;
          sum.accumulate = true;
          CHECK(error_to_cpu(mnk, ab, c, plain, false) <= tolerance);
          CHECK(error_to_cpu(mnk, ab, c, plain, true) <= tolerance);
          CHECK(error_to_cpu(mnk, ab, c, scaled, false) <= tolerance);
          CHECK(error_to_cpu(mnk, ab, c, sum, false) <= tolerance);
          CHECK(error_to_cpu(mnk, ab, c, plain, false, 1) <= tolerance);
        }
}

TEST_CASE("cuda gemm: edges and bad operands") {
  const Tensor none = Tensor::zeros({3, 0}, DType::f32, Device::cuda),
               other = Tensor::zeros({0, 2}, DType::f32, Device::cuda),
               c = random_tensor({3, 2}, DType::f32, 1).to(Device::cuda);
  gemm(c, none, other, {.accumulate = true});
  CHECK(c.item(1) != 0);
  gemm(c, none, other);
  CHECK(c.item(1) == 0);
  const Tensor a = random_tensor({3, 4}, DType::f32, 1).to(Device::cuda),
               b = random_tensor({4, 2}, DType::f32, 1);
  const std::string message = error_of([&] { gemm(c, a, b); });
  CHECK(message.rfind("gemm: f32 [4, 2] lies on the cpu, another operand on the cuda", 0) == 0);
}

}  // namespace
}  // namespace lk::test
