// The cases of kernels by family: each file of this folder makes those of one, cuda/cases.cc lists
// the files.
#pragma once

#include <fmt/core.h>

#include "cuda/cases.h"
#include "engine/dtype.h"

namespace lk {

using Cases = std::vector<KernelCase>;

void add_attention_cases(Cases& cases, int64_t times);
void add_elementwise_cases(Cases& cases, int64_t times);
void add_norm_cases(Cases& cases, int64_t times);
void add_optimizers_cases(Cases& cases, int64_t times);
void add_quantized_cases(Cases& cases, int64_t times);
void add_rows_cases(Cases& cases, int64_t times);
void add_softmax_cases(Cases& cases, int64_t times);
void add_sparse_cases(Cases& cases, int64_t times);
void add_sums_cases(Cases& cases, int64_t times);

inline int64_t same(int64_t i) { return i; }

template <class T>
constexpr int64_t size = static_cast<int64_t>(sizeof(T));

// A case of operands of T [n] each: f(cuda, memory, T{}, n). note: what is said after its shape.
template <class T, class F>
void add_flat(Cases& cases, int64_t times, const char* op, int64_t inputs, int64_t outputs, F f,
              const char* note = "") {
  const int64_t n = times << 17;
  cases.push_back({op, fmt::format("{} [{}]{}", name_of(dtype_of<T>), n, note),
                   (inputs + outputs) * n * size<T>,
                   [=](Cuda cuda, CaseMemory& m) { f(cuda, m, T{}, n); }});
}

}  // namespace lk
