#include "engine/kernels/adafactor.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda adafactor's parts equal the CPU's") {
  struct Case {
    int64_t rows, cols;
  };
  for (const Case& c :
       {Case{1, 1}, {31, 33}, {33, 1}, {5, 1023}, {300, 70}, {2, 50257}, {1023, 8}, {129, 516}}) {
    const int64_t n = c.rows * c.cols;
    compare_with_cpu<float>("means", 1e-6, [&](auto isa, auto t, Operands& o) {
      float *r = o.in_out(t, c.rows, 0, 1), *k = o.in_out(t, c.cols, 0, 1);
      adafactor_means(isa, r, k, o.in(t, n), c.rows, c.cols, 0.7);
    });
    compare_with_cpu<float>("factored", 1e-12, [&](auto isa, auto t, Operands& o) {
      double* u = o.out(0.0, n);
      const float *g = o.in(t, n), *r = o.in(t, c.rows, 0.1, 1), *k = o.in(t, c.cols, 0.1, 1);
      adafactor_factored(isa, u, g, r, k, 0.4, c.rows, c.cols);
    });
    compare_with_cpu<float>("whole", 1e-6, [&](auto isa, auto t, Operands& o) {
      double* u = o.out(0.0, n);
      float* s = o.in_out(t, n, 0.1, 1);
      adafactor_whole(isa, u, s, o.in(t, n), n, 0.7);
    });
    compare_with_cpu<float>("apply", 1e-6, [&](auto isa, auto t, Operands& o) {
      float* p = o.in_out(t, n);
      adafactor_apply(isa, p, o.in(0.0, n), n, 0.999, 0.01);
    });
  }
}

TEST_CASE("cuda adafactor: tensors that begin between two packs") {
  const int64_t rows = 33, cols = 64, n = rows * cols;
  compare_with_cpu<float>("means", 1e-6, [&](auto isa, auto t, Operands& o) {
    float *r = o.in_out(t, rows, 0, 1), *k = o.in_out(t, cols, 0, 1);
    adafactor_means(isa, r, k, o.in(t, n + 1) + 1, rows, cols, 0.7);
  });
  compare_with_cpu<float>("factored", 1e-12, [&](auto isa, auto t, Operands& o) {
    double* u = o.out(0.0, n);
    const float *g = o.in(t, n + 1), *r = o.in(t, rows, 0.1, 1), *k = o.in(t, cols, 0.1, 1);
    adafactor_factored(isa, u, g + 1, r, k, 0.4, rows, cols);
  });
  compare_with_cpu<float>("whole", 1e-6, [&](auto isa, auto t, Operands& o) {
    double* u = o.out(0.0, n);
    float* s = o.in_out(t, n + 1, 0.1, 1);
    adafactor_whole(isa, u, s + 1, o.in(t, n), n, 0.7);
  });
  compare_with_cpu<float>("apply", 1e-6, [&](auto isa, auto t, Operands& o) {
    float* p = o.in_out(t, n + 1);
    adafactor_apply(isa, p + 1, o.in(0.0, n), n, 0.999, 0.01);
  });
}

TEST_CASE("cuda adafactor: figures") {
  check_figures("adafactor_means", {});
  check_figures("adafactor_factored", {});
  check_figures("adafactor_whole", {});
  check_figures("adafactor_apply", {});
}

}  // namespace
}  // namespace lk::test
