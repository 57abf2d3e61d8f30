// Matrix products, the one thing left to a library: oneDNN on the CPU (plain loops for f64),
// cuBLASLt on CUDA.
#pragma once

#include "engine/device.h"

namespace lk {

struct GemmOptions {
  bool transpose_a = false, transpose_b = false;
  float alpha = 1.0f;            // C = alpha * op(A) op(B) + bias  (+ C when accumulate)
  bool accumulate = false;       // add to what C holds; bias is not allowed then
  const Tensor* bias = nullptr;  // [n], f32 or C's dtype
};

// C [m, n] = op(A) [m, k] op(B) [k, n]. Tensors of more dimensions are read as [numel / last,
// last]. dtypes: A and B alike, f32, bf16 or f64 (not on CUDA); C like A or f32. All on one device.
// Fixed summation order: same bits every time.
void gemm(const Tensor& c, const Tensor& a, const Tensor& b, const GemmOptions& options = {});

// gelu_tanh(Z), Z [m, n] = op(A) op(B) + bias, in one pass over it; Z itself goes into *z where
// that is not null. Undefined, and nothing is done, where the library has no such product: on CUDA
// it has, in bf16 (its tanh is too rough for f32). Neither alpha nor accumulate.
Tensor gemm_gelu_tanh(const Tensor& a, const Tensor& b, const GemmOptions& options, Tensor* z);

// What a library is asked for: sums in f32, bias of c's dtype. B fills its rows, A and C may be
// columns of wider matrices.
struct GemmShape {
  int64_t m, n, k;
  DType ab, c;
  bool transpose_a, transpose_b, accumulate, has_bias;
  int64_t step_a = 0, step_c = 0;  // from a stored row to the next; 0: as many as it has columns
  bool gelu = false, keeps_z = false;  // C = gelu_tanh(Z); Z is written too
  bool operator==(const GemmShape&) const = default;
};
// On CUDA (cuda/gemm.cc); bias: [n] or null. f32 is not rounded to TF32.
void gemm(Cuda cuda, void* c, const void* a, const void* b, const void* bias, float alpha,
          const GemmShape& shape);
// With shape.gelu. z: [m, n] where shape.keeps_z. False: no algorithm for this shape.
bool gemm_gelu_tanh(Cuda cuda, void* c, void* z, const void* a, const void* b, const void* bias,
                    const GemmShape& shape);

// Counts, so that tests can prove which products were computed and `bench` can report useful flops.
struct GemmCounters {
  int64_t calls = 0;
  double flops = 0;  // 2 m n k each
};
GemmCounters& gemm_counters();

}  // namespace lk
