// What several ops share.
#pragma once

#include <span>

#include "engine/device.h"

namespace lk {

// The dtype in which kernels over `compute` take parameters and keep sums.
inline DType acc_dtype(DType compute) { return compute == DType::f64 ? DType::f64 : DType::f32; }

// Numbers of the host where kernels on `device` read them: [n] int32.
inline Tensor numbers_on(Device device, std::span<const int32_t> numbers) {
  return Tensor::from(numbers, {static_cast<int64_t>(numbers.size())}).to(device);
}

inline int64_t row_count(const Tensor& x) { return x.numel() / x.dim(-1); }

}  // namespace lk
