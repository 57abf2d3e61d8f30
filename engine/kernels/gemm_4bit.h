// y = x W^T (+ bias) for a matrix W in 4-bit blocks, restored in bf16 tile by tile on the way to
// the tensor cores: no dense W is ever written. For CUDA alone; on the CPU a panel that the cache
// keeps is restored for the library (quant/linear.cc).
#pragma once

#include "engine/dtype.h"
#include "engine/kernels/blockwise.h"

namespace lk {

// y: [rows, w.out], x: [rows, w.in] at a multiple of 16 bytes, bias: [w.out] or null. Weights are
// rounded to bf16, as dequantize_4bit does; sums in f32. The codes are read once for every
// kGemm4BitRows rows of x.
template <class Isa>
void gemm_4bit(Isa, bf16* y, const bf16* x, int64_t rows, const Matrix4Bit& w, const float* bias);

inline constexpr int64_t kGemm4BitRows = 64;

}  // namespace lk
