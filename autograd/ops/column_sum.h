// The gradient of a row that was added to every row of x.
#pragma once

#include "engine/device.h"
#include "engine/kernels/column_sum.h"

namespace lk {

// dy: [T, d] -> [d] in `dtype`.
inline Tensor column_sum_of(const Tensor& dy, DType dtype) {
  Tensor out;
  on_float("column_sum", dy, [&](auto isa, auto type) {
    using T = decltype(type);
    const int64_t cols = dy.dim(-1);
    out = Tensor::empty({cols}, dtype_of<acc_t<T>>, dy.device());
    column_sum(isa, out.data<acc_t<T>>(), dy.data<T>(), dy.numel() / cols, cols);
  });
  return out.to(dtype);
}

}  // namespace lk
