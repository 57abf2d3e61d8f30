// Matrix products, the one thing the CPU leaves to a library (oneDNN; plain loops for f64).
#pragma once

#include "engine/tensor.h"

namespace lk {

struct GemmOptions {
  bool transpose_a = false, transpose_b = false;
  float alpha = 1.0f;            // C = alpha * op(A) op(B) + bias  (+ C when accumulate)
  bool accumulate = false;       // add to what C holds; bias is not allowed then
  const Tensor* bias = nullptr;  // [n], f32 or C's dtype
};

// C [m, n] = op(A) [m, k] op(B) [k, n]. Tensors of more dimensions are read as [numel / last,
// last]. dtypes: A and B alike, f32, bf16 or f64; C like A or f32. Fixed summation order: same bits
// every time.
void gemm(const Tensor& c, const Tensor& a, const Tensor& b, const GemmOptions& options = {});

// Counts, so that tests can prove which products were computed and `bench` can report useful flops.
struct GemmCounters {
  int64_t calls = 0;
  double flops = 0;  // 2 m n k each
};
GemmCounters& gemm_counters();

}  // namespace lk
