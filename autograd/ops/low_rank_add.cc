// y = base + s (x A^T) B^T, the sum that LoRA adds to a frozen product.
//   u = x A^T     du = s dy B     dB = s dy^T u     dA = du^T x     dx = du A
#include "autograd/ops.h"
#include "autograd/saved.h"
#include "engine/gemm.h"

namespace lk {

Var low_rank_add(Var base, const Var& x, const Var& a, const Var& b, float scale) {
  require(x.dim(-1) == a.dim(1) && a.dim(0) == b.dim(1) && base.dim(-1) == b.dim(0),
          "low_rank_add: x {}, A {}, B {} do not fit base {}", x.shape(), a.shape(), b.shape(),
          base.shape());
  const DType dtype = x.dtype();
  const KernelScope scope("low_rank_add", x.value().device());
  const Tensor a_value = a.value().to(dtype), b_value = b.value().to(dtype);
  Tensor u = Tensor::empty({x.value().numel() / x.dim(-1), a.dim(0)}, dtype, x.value().device());
  gemm(u, x.value(), a_value, {.transpose_b = true});
  // Var keeps the node, not the value, so a base that nobody else holds can be added to in place.
  Var held = base;
  base.set_value({});
  Tensor y = held.value();
  held.set_value({});
  if (!y.unique()) y = y.clone();
  gemm(y, u, b_value, {.transpose_b = true, .alpha = scale, .accumulate = true});
  return record("low_rank_add", y, {base, x, a, b},
                [x_shape = x.shape(), scale, at = a.dtype(), bt = b.dtype(), a_shape = a.shape(),
                 b_shape = b.shape(), x_saved = a.needs_grad() ? Saved(x) : Saved(),
                 u_saved = b.needs_grad() ? u : Tensor(), a_value,
                 b_value](const Tensor& dy, const Need& need) {
                  std::vector<Tensor> grads(4);
                  if (need[0]) grads[0] = dy;
                  if (need[1] || need[2]) {
                    const Tensor du = Tensor::empty({dy.numel() / dy.dim(-1), a_shape[0]},
                                                    dy.dtype(), dy.device());
                    gemm(du, dy, b_value, {.alpha = scale});
                    if (need[1]) {
                      grads[1] = Tensor::empty(x_shape, dy.dtype(), dy.device());
                      gemm(grads[1], du, a_value);
                    }
                    if (need[2]) {
                      grads[2] = Tensor::empty(a_shape, at, dy.device());
                      gemm(grads[2], du, x_saved.get(), {.transpose_a = true});
                    }
                  }
                  if (need[3]) {
                    grads[3] = Tensor::empty(b_shape, bt, dy.device());
                    gemm(grads[3], dy, u_saved, {.transpose_a = true, .alpha = scale});
                  }
                  return grads;
                });
}

}  // namespace lk
