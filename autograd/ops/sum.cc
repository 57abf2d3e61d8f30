// The sum of all elements.
#include "engine/kernels/sum.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var sum(const Var& x) {
  const Device device = x.value().device();
  const Tensor total = Tensor::zeros({1}, DType::f64, device);
  on_float("sum", x.value(), [&](auto isa, auto type) {
    using T = decltype(type);
    sum(isa, total.data<double>(), x.value().data<T>(), x.value().numel());
  });
  return record("sum", Tensor::full({1}, acc_dtype(x.dtype()), total.item()), {x},
                [shape = x.shape(), dtype = x.dtype(), device](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{Tensor::full(shape, dtype, dy.item()).to(device)};
                });
}

}  // namespace lk
