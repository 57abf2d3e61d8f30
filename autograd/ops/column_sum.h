// The gradient of a row that was added to every row of x.
#pragma once

#include "autograd/ops/helpers.h"
#include "engine/kernels/column_sum.h"

namespace lk {

// dy: [T, d] -> [d] in `dtype`.
inline Tensor column_sum_of(const Tensor& dy, DType dtype) {
  const int64_t cols = dy.dim(-1);
  const Tensor out = Tensor::empty({cols}, acc_dtype(dy.dtype()), dy.device());
  on_float("column_sum", dy, [&](auto isa, auto type) {
    using T = decltype(type);
    column_sum(isa, out.data<acc_t<T>>(), dy.data<T>(), dy.numel() / cols, cols);
  });
  return out.to(dtype);
}

}  // namespace lk
