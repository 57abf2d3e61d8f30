#include "engine/kernels/optimizer.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda optimizers equal the CPU's in f64") {
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    for (const int64_t step : {1, 100})
      compare_with_f64<float>("adamw", 1e-6, [=](auto isa, auto t, Operands& o) {
        auto *p = o.in_out(t, n), *m = o.in_out(t, n), *v = o.in_out(t, n, 0, 1);
        adamw_update(isa, p, o.in(t, n), m, v, n, {1e-2, 0.9, 0.99, 1e-8, 0.1, step});
      });
    for (const bool first : {false, true})
      compare_with_f64<float>("sgd", 1e-6, [=](auto isa, auto t, Operands& o) {
        auto *p = o.in_out(t, n), *m = o.in_out(t, n);
        sgd_update(isa, p, o.in(t, n), m, n, 1e-2, 0.9, 0.1, first);
      });
    compare_with_f64<float>("sgd without momentum", 1e-6, [=](auto isa, auto t, Operands& o) {
      auto *p = o.in_out(t, n), *none = static_cast<decltype(t)*>(nullptr);
      sgd_update(isa, p, o.in(t, n), none, n, 1e-2, 0.0, 0.1, false);
    });
    compare_with_f64<float>("lion", 1e-6, [=](auto isa, auto t, Operands& o) {
      auto *p = o.in_out(t, n), *m = o.in_out(t, n);
      lion_update(isa, p, o.in(t, n), m, n, 1e-2, 0.9, 0.99, 0.1);
    });
  }
}

TEST_CASE("cuda sgd and lion: tensors that begin between two packs") {
  for (const int64_t n : {31, 1023}) {
    compare_with_f64<float>("sgd", 1e-6, [=](auto isa, auto t, Operands& o) {
      auto *p = o.in_out(t, n + 1), *m = o.in_out(t, n);
      sgd_update(isa, p + 1, o.in(t, n), m, n, 1e-2, 0.9, 0.1, false);
    });
    compare_with_f64<float>("lion", 1e-6, [=](auto isa, auto t, Operands& o) {
      auto *p = o.in_out(t, n), *m = o.in_out(t, n + 1);
      lion_update(isa, p, o.in(t, n), m + 1, n, 1e-2, 0.9, 0.99, 0.1);
    });
  }
}

TEST_CASE("cuda adamw: a hundred tensors at once") {
  const AdamwStep step{1e-2, 0.9, 0.99, 1e-8, 0.1, 3};
  compare_with_f64<float>("adamw_update of many", 1e-6, [&](auto isa, auto t, Operands& o) {
    std::vector<AdamwTensor<decltype(t)>> tensors;
    for (int64_t i = 0; i < 100; ++i) {
      const int64_t n = i * 37 % 301 + (i == 50 ? 9000 : 0);  // 0 elements, too
      auto *p = o.in_out(t, n), *m = o.in_out(t, n), *v = o.in_out(t, n, 0, 1);
      tensors.push_back({p, o.in(t, n), m, v, n});
    }
    adamw_update(isa, tensors.data(), 100, step);
  });
}

TEST_CASE("cuda optimizers: figures") {
  check_figures("adamw_update", {});
  check_figures("sgd_update", {});
  check_figures("lion_update", {});
}

}  // namespace
}  // namespace lk::test
