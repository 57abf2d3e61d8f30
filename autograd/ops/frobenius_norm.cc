// y = sqrt(sum x^2)     dx = dy x / y, 0 where y is
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var frobenius_norm(const Var& x) {
  require_cpu("frobenius_norm", x.value());
  double total = 0;
  for (int64_t i = 0; i < x.value().numel(); ++i) total += x.value().item(i) * x.value().item(i);
  const double norm = std::sqrt(total);
  return record("frobenius_norm", Tensor::full({1}, acc_dtype(x.dtype()), norm), {x},
                [norm, x_saved = x.value()](const Tensor& dy, const Need&) {
                  const double factor = norm > 0 ? dy.item() / norm : 0;
                  Tensor dx = Tensor::empty(x_saved.shape(), x_saved.dtype());
                  visit_float(dx.dtype(), [&](auto type) {
                    using T = decltype(type);
                    for (int64_t i = 0; i < dx.numel(); ++i)
                      dx.data<T>()[i] =
                          static_cast<T>(static_cast<acc_t<T>>(factor * x_saved.item(i)));
                  });
                  return std::vector<Tensor>{dx};
                });
}

}  // namespace lk
