#include <doctest/doctest.h>

#include <cmath>

#include "engine/gemm.h"
#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("linear_cross_entropy equals the loss of all logits at once") {
  for (const int64_t rows : {1, 45}) {  // more than one block of rows is tested below
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < rows; ++i)
      labels.push_back(i % 3 == 2 ? -100 : static_cast<int32_t>(i % 7));
    test::check_op(
        {.name = "linear_cross_entropy",
         .shapes = {{rows, 5}, {7, 5}, {7}},
         .op = [&](const auto& x) { return linear_cross_entropy(x[0], x[1], x[2], labels); },
         .reference =
             [&](const auto& x) {
               double loss = 0;
               for (size_t i = 0; i < labels.size(); ++i) {
                 if (labels[i] == -100) continue;
                 double total = 0, own = 0;
                 for (size_t j = 0; j < 7; ++j) {
                   double z = x[2][j];
                   for (size_t k = 0; k < 5; ++k) z += x[0][i * 5 + k] * x[1][j * 5 + k];
                   total += std::exp(z);
                   if (static_cast<int32_t>(j) == labels[i]) own = z;
                 }
                 loss += std::log(total) - own;
               }
               return test::Numbers{loss};
             }});
  }
}

TEST_CASE("linear_cross_entropy: many blocks, and memory for one") {
  const int64_t rows = 1000, vocab = 60000, d = 4;  // blocks of 250 rows
  const Var x = Var::leaf(Tensor::full({rows, d}, DType::f32, 0.1)),
            w(Tensor::full({vocab, d}, DType::f32, 0.1));
  const std::vector<int32_t> labels(static_cast<size_t>(rows), 5);
  reset_memory_peak();
  const int64_t before = memory_stats().total_live;
  const Var loss = linear_cross_entropy(x, w, {}, labels);
  // All logits are equal: the loss of a row is log(vocab), its gradient 0.
  CHECK(std::abs(loss.value().item() / static_cast<double>(rows) -
                 std::log(static_cast<double>(vocab))) <= 1e-4);
  backward(loss);
  for (int64_t i = 0; i < x.grad().numel(); ++i) CHECK(std::abs(x.grad().item(i)) <= 1e-5);
  CHECK(memory_stats().total_peak - before <= rows * vocab * 4 / 3);
}

TEST_CASE("linear_cross_entropy: the logits of a whole batch never exist at once") {
  const int64_t rows = 1000, vocab = 1 << 16, d = 4;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const Var x = Var::leaf(Tensor::full({rows, d}, dtype, 0.1)),
              w = Var::leaf(Tensor::full({vocab, d}, DType::f32, 0.2));
    const std::vector<int32_t> labels(static_cast<size_t>(rows), 7);
    reset_memory_peak();
    const int64_t before = memory_stats().total_live;
    backward(linear_cross_entropy(x, w, {}, labels));
    // All of them take 262 MB in f32. A block takes 64, in bf16 half of that again as gradients,
    // and once more in f32 where the library has no products in bf16.
    const int64_t most = (dtype == DType::f32 ? 64 : 160) << 20;
    CHECK(memory_stats().total_peak - before <= most + 4 * vocab * d * 4);
  }
}

TEST_CASE("linear_cross_entropy: rows without a label cost no product") {
  const Var x = Var::leaf(Tensor::full({50, 4}, DType::f32, 0.1)),
            w = Var::leaf(Tensor::full({9, 4}, DType::f32, 0.2));
  const auto flops = [&](size_t labelled) {
    std::vector<int32_t> labels(50, -100);
    std::fill_n(labels.begin() + 5, labelled, 3);
    const double before = gemm_counters().flops;
    backward(linear_cross_entropy(x, w, {}, labels));
    return gemm_counters().flops - before;
  };
  CHECK(flops(0) == 0);
  CHECK(flops(6) == 3 * 2.0 * 6 * 4 * 9);  // logits, dx, dW
  CHECK(flops(12) == 2 * flops(6));
}

}  // namespace
}  // namespace lk
