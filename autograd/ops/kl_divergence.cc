// Sum over rows of KL(softmax(t) || softmax(x)) = sum_j p_j (log p_j - log q_j), p of the target
// logits t (a constant), q of the logits x.        dx = q - p
#include "engine/kernels/kl_divergence.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var kl_divergence(const Var& logits, const Tensor& target) {
  require(logits.shape() == target.shape() && logits.dtype() == target.dtype(),
          "kl_divergence: logits {} and target {} differ", logits.shape(), target.shape());
  const int64_t classes = logits.dim(-1), rows = row_count(target);
  Tensor dx = Tensor::like(logits.value());
  const Tensor losses = Tensor::empty({rows}, DType::f64, dx.device());
  on_float("kl_divergence", dx, [&](auto isa, auto type) {
    using T = decltype(type);
    kl_divergence(isa, dx.data<T>(), losses.data<double>(), logits.value().data<T>(),
                  target.data<T>(), rows, classes);
  });
  double loss = 0;
  for (const double l : losses.to_vector<double>()) loss += l;
  return record("kl_divergence", Tensor::full({1}, acc_dtype(logits.dtype()), loss), {logits},
                [dx](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{scale(Var(dx), static_cast<float>(dy.item())).value()};
                });
}

}  // namespace lk
