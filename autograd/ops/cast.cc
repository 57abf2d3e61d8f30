// Another dtype; the gradient is cast back.
#include "autograd/ops.h"

namespace lk {

Var cast(const Var& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return record("cast", x.value().to(dtype), {x},
                [from = x.dtype()](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{dy.to(from)};
                });
}

}  // namespace lk
