#include "engine/kernels/norm.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

// Lengths of a row around the sizes of the thread groups and of 16 bytes.
constexpr int64_t kLengths[] = {1, 31, 33, 64, 500, 513, 768, 1023, 2080, 4100};

TEST_CASE("cuda layer_norm equals the CPU's") {
  for (const int64_t d : kLengths)
    for (const int64_t rows : {1, 37}) {
      if (rows * d > 80000) continue;
      // Two elements or one: (x - mean) is a small difference.
      compare_with_cpu("forward", 4e-6, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, rows * d);
        float *mean = o.out(0.0f, rows), *rstd = o.out(0.0f, rows);
        const auto* x = o.in(t, rows * d, -1, 3);
        const float *gain = o.in(0.0f, d), *bias = o.in(0.0f, d);
        layer_norm_forward(isa, y, mean, rstd, x, gain, bias, rows, d, 1e-3f);
      });
      compare_with_cpu("backward", 1e-5, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto* dx = o.out(t, rows * d);
        float *dgain = o.out(0.0f, d), *dbias = o.out(0.0f, d);
        const auto *dy = o.in(t, rows * d), *x = o.in(t, rows * d, -1, 3);
        const float *mean = o.in(0.0f, rows), *rstd = o.in(0.0f, rows, 0.5, 2),
                    *gain = o.in(0.0f, d);
        layer_norm_backward(isa, dx, dgain, dbias, dy, x, mean, rstd, gain, rows, d);
      });
    }
}

TEST_CASE("cuda rms_norm equals the CPU's") {
  for (const int64_t d : kLengths)
    for (const int64_t rows : {1, 37}) {
      if (rows * d > 80000) continue;
      compare_with_cpu("forward", 4e-6, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto* y = o.out(t, rows * d);
        float* rstd = o.out(0.0f, rows);
        const auto* x = o.in(t, rows * d, -1, 3);
        rms_norm_forward(isa, y, rstd, x, o.in(0.0f, d), rows, d, 1e-3f);
      });
      compare_with_cpu("backward", 1e-5, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto* dx = o.out(t, rows * d);
        float* dgain = o.out(0.0f, d);
        const auto *dy = o.in(t, rows * d), *x = o.in(t, rows * d, -1, 3);
        const float *rstd = o.in(0.0f, rows, 0.5, 2), *gain = o.in(0.0f, d);
        rms_norm_backward(isa, dx, dgain, dy, x, rstd, gain, rows, d);
      });
    }
}

TEST_CASE("cuda add_layer_norm, add_rms_norm equal the CPU's") {
  for (const int64_t d : kLengths)
    for (const int64_t rows : {1, 37}) {
      if (rows * d > 80000) continue;
      compare_with_cpu("add_layer_norm", 4e-6, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto *y = o.out(t, rows * d), *sum = o.out(t, rows * d);
        float *mean = o.out(0.0f, rows), *rstd = o.out(0.0f, rows);
        const auto *a = o.in(t, rows * d, -1, 3), *b = o.in(t, rows * d, -1, 3);
        const float *gain = o.in(0.0f, d), *bias = o.in(0.0f, d);
        add_layer_norm_forward(isa, y, sum, mean, rstd, a, b, gain, bias, rows, d, 1e-3f);
      });
      compare_with_cpu("add_rms_norm", 4e-6, 1e-2, [=](auto isa, auto t, Operands& o) {
        auto *y = o.out(t, rows * d), *sum = o.out(t, rows * d);
        float* rstd = o.out(0.0f, rows);
        const auto *a = o.in(t, rows * d, -1, 3), *b = o.in(t, rows * d, -1, 3);
        add_rms_norm_forward(isa, y, sum, rstd, a, b, o.in(0.0f, d), rows, d, 1e-3f);
      });
    }
}

TEST_CASE("cuda norms: every subset of the gradients; x that a frozen gain does not need") {
  const int64_t rows = 9, d = 96;
  for (int need = 0; need < 8; ++need)
    compare_with_cpu("layer_norm_backward", 1e-5, 1e-2, [=](auto isa, auto t, Operands& o) {
      auto* dx = need & 1 ? o.out(t, rows * d) : nullptr;
      float *dgain = need & 2 ? o.out(0.0f, d) : nullptr,
            *dbias = need & 4 ? o.out(0.0f, d) : nullptr;
      const auto *dy = o.in(t, rows * d), *x = need & 3 ? o.in(t, rows * d) : nullptr;
      const float *mean = o.in(0.0f, rows), *rstd = o.in(0.0f, rows, 0.5, 2), *gain = o.in(0.0f, d);
      layer_norm_backward(isa, dx, dgain, dbias, dy, x, mean, rstd, gain, rows, d);
    });
}

TEST_CASE("cuda norms: rows longer than a block holds are refused") {
  const DeviceArray<float> x(int64_t{1});
  CHECK(error_of([&] {
          rms_norm_forward(Cuda{}, x.data(), x.data(), static_cast<const float*>(x.data()),
                           static_cast<const float*>(x.data()), 1, 8200, 1e-5f);
        }).find("at most 8192") != std::string::npos);
}

TEST_CASE("cuda norms: figures") {
  // In bf16 a lane takes its eight gains in two accesses of half a sector each, once for all rows
  // of its group; the second one comes from L1.
  // Rows of 768 by groups of 128 threads that could hold 1024.
  check_figures("layer_norm_forward", {.sector_efficiency = 0.94, .active_lanes = 0.75});
  check_figures("rms_norm_forward", {});
  check_figures("add_layer_norm_forward", {.active_lanes = 0.75});
  check_figures("add_rms_norm_forward", {.active_lanes = 0.75});
  check_figures("layer_norm_backward", {});
  check_figures("rms_norm_backward", {});
}

}  // namespace
}  // namespace lk::test
