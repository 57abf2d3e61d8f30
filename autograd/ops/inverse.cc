// Y = X^-1     dX = -Y^T dY Y^T
#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/svd.h"

namespace lk {

Var inverse(const Var& x) {
  require_cpu("inverse", x.value());
  const Tensor y = inverse(x.value());
  return record("inverse", y, {x}, [y](const Tensor& dy, const Need&) {
    const Tensor left = Tensor::empty(dy.shape(), dy.dtype()),
                 dx = Tensor::empty(dy.shape(), dy.dtype());
    gemm(left, y, dy, {.transpose_a = true});
    gemm(dx, left, y, {.transpose_b = true, .alpha = -1.0f});
    return std::vector<Tensor>{dx};
  });
}

}  // namespace lk
