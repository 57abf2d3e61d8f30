// y_i = exp(x_i) / sum_j exp(x_j) over the last dimension; dx_i = y_i (dy_i - sum_j y_j dy_j).
// For the few weights of an adapter; attention and the losses have kernels of their own.
#include "engine/kernels/softmax.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var softmax(const Var& x) {
  const int64_t width = x.dim(-1);
  Tensor y = Tensor::like(x.value());
  on_float("softmax", y, [&](auto isa, auto type) {
    using T = decltype(type);
    softmax_forward(isa, y.data<T>(), x.value().data<T>(), row_count(y), width);
  });
  return record("softmax", y, {x}, [y, width](const Tensor& dy, const Need&) {
    Tensor dx = Tensor::like(dy);
    on_float("softmax", dy, [&](auto isa, auto type) {
      using T = decltype(type);
      softmax_backward(isa, dx.data<T>(), dy.data<T>(), y.data<T>(), row_count(y), width);
    });
    return std::vector<Tensor>{dx};
  });
}

}  // namespace lk
