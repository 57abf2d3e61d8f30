// What several ops share.
#pragma once

#include "engine/cpu.h"
#include "engine/tensor.h"

namespace lk {

// The dtype in which kernels over `compute` take parameters and keep sums.
inline DType acc_dtype(DType compute) { return compute == DType::f64 ? DType::f64 : DType::f32; }

inline int64_t row_count(const Tensor& x) { return x.numel() / x.dim(-1); }

}  // namespace lk
