// The sum of all elements.
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var sum(const Var& x) {
  require_cpu("sum", x.value());
  const DType acc = acc_dtype(x.dtype());
  double total = 0;
  for (int64_t i = 0; i < x.value().numel(); ++i) total += x.value().item(i);
  return record("sum", Tensor::full({1}, acc, total), {x},
                [shape = x.shape(), dtype = x.dtype()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{Tensor::full(shape, dtype, dy.item())};
                });
}

}  // namespace lk
