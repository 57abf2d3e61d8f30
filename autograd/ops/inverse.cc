// Y = X^-1     dX = -Y^T dY Y^T
#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/svd.h"

namespace lk {

Var inverse(const Var& x) {
  // Small matrices: LAPACK on the host serves the device too.
  const Tensor y = inverse(x.value().to(Device::cpu)).to(x.value().device());
  return record("inverse", y, {x}, [y](const Tensor& dy, const Need&) {
    const Tensor left = Tensor::like(dy), dx = Tensor::like(dy);
    gemm(left, y, dy, {.transpose_a = true});
    gemm(dx, left, y, {.transpose_b = true, .alpha = -1.0f});
    return std::vector<Tensor>{dx};
  });
}

}  // namespace lk
