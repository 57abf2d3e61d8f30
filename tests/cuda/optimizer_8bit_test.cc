#include "engine/kernels/optimizer_8bit.h"

#include "nn/optim/optimizer.h"
#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

struct States {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
  const StepTable* table;
  States(int64_t n, bool is_signed, int salt) : table(&dynamic_steps(is_signed)) {
    for (int64_t i = 0; i < n; ++i)
      codes.push_back(static_cast<uint8_t>((i * 37 + salt) % 200 + (is_signed ? 28 : 0)));
    for (int64_t b = 0; b * kStateBlock < n; ++b)
      absmax.push_back(0.5f + static_cast<float>(b % 3));
  }
  // Codes count as outputs where `compared`: one that lies on a border may fall to either side.
  State8 on(Operands& o, bool compared) const {
    auto* c = compared ? o.in_out(codes) : const_cast<uint8_t*>(o.in(codes));
    auto* a = compared ? const_cast<float*>(o.in(absmax)) : o.in_out(absmax);
    return {c, a, table};
  }
};

constexpr int64_t kSizes[] = {1, 31, 33, 255, 257, 1023, 4096, 50257};

TEST_CASE("cuda adamw8bit equals the CPU's") {
  for (const int64_t n : kSizes)
    for (const bool codes : {false, true}) {
      const States m(n, true, 3), v(n, false, 11);
      const double tolerance = codes ? 0.0041 : 1e-6;  // a code of 256
      compare_with_cpu<float>("adamw8bit", tolerance, [&](auto isa, auto, Operands& o) {
        float* p = o.in_out(0.0f, n);
        std::vector<float> g;
        for (int64_t i = 0; i < n; ++i)
          g.push_back(i % 97 == 5 ? INFINITY : static_cast<float>(std::sin(i)));
        adamw8bit_update(isa, p, o.in(g), m.on(o, codes), v.on(o, codes), n,
                         {1e-2, 0.9, 0.99, 1e-8, 0.1, 3});
      });
    }
}

TEST_CASE("cuda lion8bit equals the CPU's, a block of zeros too") {
  for (const int64_t n : kSizes)
    for (const bool codes : {false, true}) {
      const States m(n, true, 3);
      compare_with_cpu<float>("lion8bit", codes ? 0.0041 : 1e-6, [&](auto isa, auto, Operands& o) {
        float* p = o.in_out(0.0f, n);
        std::vector<float> g(static_cast<size_t>(n), NAN);  // states become 0
        for (int64_t i = 256; i < n; ++i)
          g[static_cast<size_t>(i)] = static_cast<float>(std::sin(i));
        lion8bit_update(isa, p, o.in(g), m.on(o, codes), n, 1e-2, 0.9, 0.99, 0.1);
      });
    }
}

TEST_CASE("cuda 8-bit optimizers: parameters that begin between two packs") {
  const int64_t n = 1023;
  const States m(n, true, 3), v(n, false, 11);
  compare_with_cpu<float>("adamw8bit", 1e-6, [&](auto isa, auto t, Operands& o) {
    float* p = o.in_out(t, n + 1);
    adamw8bit_update(isa, p + 1, o.in(t, n), m.on(o, false), v.on(o, false), n,
                     {1e-2, 0.9, 0.99, 1e-8, 0.1, 3});
  });
  compare_with_cpu<float>("lion8bit", 1e-6, [&](auto isa, auto t, Operands& o) {
    float* p = o.in_out(t, n);
    lion8bit_update(isa, p, o.in(t, n + 1) + 1, m.on(o, false), n, 1e-2, 0.9, 0.99, 0.1);
  });
}

TEST_CASE("cuda optimizers with 8-bit states, and Adafactor, step as the CPU's do") {
  for (const char* name : {"adamw8bit", "lion8bit", "adafactor"}) {
    CAPTURE(name);
    std::vector<std::vector<double>> after;
    for (const Device device : {Device::cpu, Device::cuda}) {
      // Above 4096 elements states have 8 bits; the other one's are f32.
      const Var large = Var::leaf(random_tensor({70, 70}, DType::f32, 1).to(device)),
                small = Var::leaf(random_tensor({33}, DType::f32, 2).to(device));
      const auto optimizer = make_optimizer({.name = name, .scale_parameter = true},
                                            {{{{"large", large}, {"small", small}}, 1.0, 0.1}});
      for (uint64_t step = 0; step < 3; ++step) {
        large.set_grad(random_tensor({70, 70}, DType::f32, 3 + step).to(device));
        small.set_grad(random_tensor({33}, DType::f32, 9 + step).to(device));
        optimizer->step(1e-2);
      }
      after.push_back(large.value().to_vector<double>());
      for (const double v : small.value().to_vector<double>()) after.back().push_back(v);
    }
    // A moment that fell into the next of 256 codes moves its element by a part of a step.
    check_close({after[1]}, {after[0]}, std::string(name) == "adafactor" ? 1e-6 : 2e-3);
  }
}

TEST_CASE("cuda 8-bit optimizers: figures") {
  // Of gradients and states of 0, which ask the tables (66 KB) for one entry; others come from L2.
  check_figures("adamw8bit_update", {});
  check_figures("lion8bit_update", {});
}

}  // namespace
}  // namespace lk::test
