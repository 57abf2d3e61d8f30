// y = sqrt(sum x^2)     dx = dy x / y, 0 where y is
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/square_sum.h"

namespace lk {

Var frobenius_norm(const Var& x) {
  const Tensor total = Tensor::zeros({1}, DType::f64, x.value().device());
  on_float("frobenius_norm", x.value(), [&](auto isa, auto type) {
    using T = decltype(type);
    square_sum(isa, total.data<double>(), x.value().data<T>(), x.value().numel());
  });
  const double norm = std::sqrt(total.item());
  return record("frobenius_norm", Tensor::full({1}, acc_dtype(x.dtype()), norm), {x},
                [norm, x_saved = x.value()](const Tensor& dy, const Need&) {
                  const double factor = norm > 0 ? dy.item() / norm : 0;
                  Tensor dx = Tensor::like(x_saved);
                  on_float("frobenius_norm", dx, [&](auto isa, auto type) {
                    using T = decltype(type);
                    scale_forward(isa, dx.data<T>(), x_saved.data<T>(),
                                  static_cast<acc_t<T>>(factor), dx.numel());
                  });
                  return std::vector<Tensor>{dx};
                });
}

}  // namespace lk
