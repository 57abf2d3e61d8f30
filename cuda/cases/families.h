// The families of cases that kernel_cases() puts together, and what they share.
#pragma once

#include <fmt/core.h>

#include "cuda/cases.h"
#include "engine/dtype.h"

namespace lk {

using Cases = std::vector<KernelCase>;

void add_attention_cases(Cases& cases, int64_t times);
void add_elementwise_cases(Cases& cases, int64_t times);
void add_loss_cases(Cases& cases, int64_t times);
void add_norm_cases(Cases& cases, int64_t times);
void add_optimizer_cases(Cases& cases, int64_t times);
void add_quantized_cases(Cases& cases, int64_t times);
void add_row_cases(Cases& cases, int64_t times);
void add_sparse_cases(Cases& cases, int64_t times);

template <class T>
inline constexpr int64_t size = static_cast<int64_t>(sizeof(T));

// y[n] from `inputs` operands of the same length. f(cuda, memory, T{}, n).
template <class T, class F>
void add_flat(Cases& cases, int64_t times, const char* op, int64_t inputs, int64_t outputs, F f) {
  const int64_t n = times << 17;
  cases.push_back({op, fmt::format("{} [{}]", name_of(dtype_of<T>), n),
                   (inputs + outputs) * n * size<T>,
                   [=](Cuda cuda, CaseMemory& m) { f(cuda, m, T{}, n); }});
}

}  // namespace lk
