#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

using test::Numbers;

Numbers softmax(const Numbers& x, size_t at, size_t n) {
  Numbers out(n);
  double total = 0;
  for (size_t j = 0; j < n; ++j) total += out[j] = std::exp(x[at + j]);
  for (double& v : out) v /= total;
  return out;
}

TEST_CASE("op: kl_divergence") {
  for (const auto& [rows, width] : {std::array<int64_t, 2>{1, 2}, {3, 7}, {5, 31}}) {
    Numbers wanted(static_cast<size_t>(rows * width));
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = std::sin(static_cast<double>(i)) * 2;
    // In bf16 both sides round, and the divergence is a small difference of large sums.
    test::check_op(
        {.name = "kl_divergence",
         .shapes = {{rows, width}},
         .op =
             [&, shape = Shape{rows, width}](const auto& x) {
               return kl_divergence(
                   x[0],
                   Tensor::from<double>(wanted, shape).to(x[0].dtype()).to(x[0].value().device()));
             },
         .reference =
             [&, n = static_cast<size_t>(width)](const std::vector<Numbers>& x) {
               double loss = 0;
               for (size_t at = 0; at < wanted.size(); at += n) {
                 const Numbers p = softmax(wanted, at, n), q = softmax(x[0], at, n);
                 for (size_t j = 0; j < n; ++j) loss += p[j] * std::log(p[j] / q[j]);
               }
               return Numbers{loss};
             },
         .bf16 = 3e-2});
  }
  const Tensor same = Tensor::full({2, 3}, DType::f32, 0.7);
  CHECK(kl_divergence(Var(same), same).value().item() == 0);
}

}  // namespace
}  // namespace lk
