#include "cuda/cases/families.h"
#include "engine/kernels/adafactor.h"
#include "engine/kernels/gradients.h"
#include "engine/kernels/optimizer_8bit.h"

namespace lk {
namespace {

void add_f32_states(Cases& cases, int64_t times) {
  add_flat<float>(cases, times, "adamw_update", 4, 3,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const float* g = m.zeros<float>(count);
                    float *p = m.zeros<float>(count), *first = m.zeros<float>(count),
                          *second = m.zeros<float>(count);
                    adamw_update(c, p, g, first, second, count, {1e-3, 0.9, 0.999, 1e-8, 0.01, 1});
                  });
  for (const bool momentum : {true, false})
    add_flat<float>(
        cases, times, "sgd_update", momentum ? 3 : 2, momentum ? 2 : 1,
        [momentum](Cuda c, CaseMemory& m, float, int64_t count) {
          const float* g = m.zeros<float>(count);
          float *p = m.zeros<float>(count), *state = momentum ? m.zeros<float>(count) : nullptr;
          sgd_update(c, p, g, state, count, 1e-3, 0.9, 0.01, false);
        },
        momentum ? "" : ", no momentum");
  add_flat<float>(cases, times, "lion_update", 3, 2,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const float* g = m.zeros<float>(count);
                    float *p = m.zeros<float>(count), *state = m.zeros<float>(count);
                    lion_update(c, p, g, state, count, 1e-3, 0.9, 0.99, 0.01);
                  });
  add_flat<float>(cases, times, "gradients_square_sum", 1, 0,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const Gradient<float> two[] = {{m.zeros<float>(count / 2), count / 2},
                                                   {m.zeros<float>(count / 2), count / 2}};
                    gradients_square_sum(c, m.zeros<double>(1), two, 2);
                  });
  add_flat<float>(cases, times, "gradients_scale", 1, 1,
                  [](Cuda c, CaseMemory& m, float, int64_t count) {
                    const Gradient<float> two[] = {{m.zeros<float>(count / 2), count / 2},
                                                   {m.zeros<float>(count / 2), count / 2}};
                    gradients_scale(c, two, 2, 0.5f);
                  });
}

void add_8bit_states(Cases& cases, int64_t times) {
  const int64_t n = times << 17;
  const std::string flat = fmt::format("f32 [{}]", n);
  const auto state = [=](CaseMemory& m, bool is_signed) {
    return State8{m.zeros<uint8_t>(n), m.zeros<float>(n / kStateBlock), &dynamic_steps(is_signed)};
  };
  cases.push_back({"adamw8bit_update", flat, n * (12 + 4), [=](Cuda c, CaseMemory& m) {
                     float* p = m.zeros<float>(n);
                     const float* g = m.zeros<float>(n);
                     adamw8bit_update(c, p, g, state(m, true), state(m, false), n,
                                      {1e-3, 0.9, 0.999, 1e-8, 0.01, 1});
                   }});
  cases.push_back({"lion8bit_update", flat, n * (12 + 2), [=](Cuda c, CaseMemory& m) {
                     float* p = m.zeros<float>(n);
                     const float* g = m.zeros<float>(n);
                     lion8bit_update(c, p, g, state(m, true), n, 1e-3, 0.9, 0.99, 0.01);
                   }});
}

void add_adafactor(Cases& cases, int64_t times) {
  constexpr int64_t cols = 512;
  const int64_t rows = 256 * times, n = rows * cols;
  const std::string flat = fmt::format("f32 [{}]", n),
                    matrix = fmt::format("f32 [{}, {}]", rows, cols);
  cases.push_back(
      {"adafactor_means", matrix, n * 4 + (rows + cols) * 8, [=](Cuda c, CaseMemory& m) {
         const float* g = m.zeros<float>(n);
         adafactor_means(c, m.zeros<float>(rows), m.zeros<float>(cols), g, rows, cols, 0.9);
       }});
  cases.push_back(
      {"adafactor_factored", matrix, n * 12 + (rows + cols) * 4, [=](Cuda c, CaseMemory& m) {
         const float *g = m.zeros<float>(n), *r = m.zeros<float>(rows), *k = m.zeros<float>(cols);
         adafactor_factored(c, m.zeros<double>(n), g, r, k, 1.0, rows, cols);
       }});
  cases.push_back({"adafactor_whole", flat, n * 20, [=](Cuda c, CaseMemory& m) {
                     const float* g = m.zeros<float>(n);
                     adafactor_whole(c, m.zeros<double>(n), m.zeros<float>(n), g, n, 0.9);
                   }});
  cases.push_back({"adafactor_apply", flat, n * 16, [=](Cuda c, CaseMemory& m) {
                     const double* u = m.zeros<double>(n);
                     adafactor_apply(c, m.zeros<float>(n), u, n, 0.99, 0.01);
                   }});
}

}  // namespace

void add_optimizers_cases(Cases& cases, int64_t times) {
  add_f32_states(cases, times);
  add_8bit_states(cases, times);
  add_adafactor(cases, times);
}

}  // namespace lk
