#include "engine/kernels/softmax_cross_entropy.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

std::vector<int32_t> labels_for(int64_t rows, int64_t classes) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < rows; ++i)
    labels.push_back(i % 4 == 2 ? -100 : static_cast<int32_t>(i * 7919 % classes));
  return labels;
}

TEST_CASE("cuda softmax_cross_entropy equals the CPU's, in f64 where that has it") {
  for (const int64_t classes : {1, 31, 33, 1023, 50257}) {
    const int64_t rows = classes > 2000 ? 2 : 5;
    const auto labels = labels_for(rows, classes);
    // One class: probability 1, loss and gradient 0, and what is left is rounding.
    compare_with_f64("z and dz alike", 4e-6, 4e-3, [&](auto isa, auto t, Operands& o) {
      auto* dz = o.out(t, rows * classes);
      double* loss = o.out(0.0, rows);
      const auto* z = o.in(t, rows * classes, -8, 8);
      softmax_cross_entropy(isa, dz, loss, z, o.in(labels), rows, classes);
    });
    if (classes > 2000) continue;
    compare_with_f64("no dz", 4e-6, 1e-5, [&](auto isa, auto t, Operands& o) {
      double* loss = o.out(0.0, rows);
      const auto* z = o.in(t, rows * classes, -8, 8);
      decltype(t)* dz = nullptr;
      softmax_cross_entropy(isa, dz, loss, z, o.in(labels), rows, classes);
    });
    compare_with_cpu<float>("dz narrower than z", 4e-3, [&](auto isa, auto, Operands& o) {
      bf16* dz = o.out(bf16{}, rows * classes);
      double* loss = o.out(0.0, rows);
      const float* z = o.in(0.0f, rows * classes, -8, 8);
      softmax_cross_entropy(isa, dz, loss, z, o.in(labels), rows, classes);
    });
    compare_with_f64("in place", 4e-6, 4e-3, [&](auto isa, auto t, Operands& o) {
      auto* z = o.in_out(t, rows * classes, -8, 8);
      double* loss = o.out(0.0, rows);
      softmax_cross_entropy(isa, z, loss, static_cast<const decltype(t)*>(z), o.in(labels), rows,
                            classes);
    });
  }
}

TEST_CASE("cuda softmax_cross_entropy: rows that shared memory does not hold") {
  const int64_t classes = 128256;
  const std::vector<int32_t> labels{128255};
  compare_with_f64("in place", 4e-6, 4e-3, [&](auto isa, auto t, Operands& o) {
    auto* z = o.in_out(t, classes, -8, 8);
    double* loss = o.out(0.0, 1);
    softmax_cross_entropy(isa, z, loss, static_cast<const decltype(t)*>(z), o.in(labels), 1,
                          classes);
  });
  compare_with_cpu<float>("dz narrower than z", 4e-3, [&](auto isa, auto t, Operands& o) {
    bf16* dz = o.out(bf16{}, classes);
    double* loss = o.out(0.0, 1);
    softmax_cross_entropy(isa, dz, loss, o.in(t, classes, -8, 8), o.in(labels), 1, classes);
  });
}

TEST_CASE("cuda softmax_cross_entropy: figures") {
  // A row of 50257 has room in shared memory.
  check_figures("softmax_cross_entropy", {});
}

}  // namespace
}  // namespace lk::test
