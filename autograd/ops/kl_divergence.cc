// Sum over rows of KL(softmax(t) || softmax(x)) = sum_j p_j (log p_j - log q_j), p of the target
// logits t (a constant), q of the logits x.        dx = q - p
#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

// log softmax of a row, in double: a difference of close distributions is wanted.
template <class T>
std::vector<double> log_softmax(const T* x, int64_t n) {
  double top = -INFINITY, total = 0;
  for (int64_t j = 0; j < n; ++j)
    top = std::max(top, static_cast<double>(static_cast<acc_t<T>>(x[j])));
  std::vector<double> out(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    out[static_cast<size_t>(j)] = static_cast<double>(static_cast<acc_t<T>>(x[j])) - top;
    total += std::exp(out[static_cast<size_t>(j)]);
  }
  for (double& v : out) v -= std::log(total);
  return out;
}

}  // namespace

Var kl_divergence(const Var& logits, const Tensor& target) {
  require(logits.shape() == target.shape() && logits.dtype() == target.dtype(),
          "kl_divergence: logits {} and target {} differ", logits.shape(), target.shape());
  require_cpu("kl_divergence", logits.value());
  const int64_t n = logits.dim(-1), rows = row_count(target);
  Tensor dx = Tensor::empty(logits.shape(), logits.dtype());
  double loss = 0;
  visit_float(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < rows; ++i) {
      const auto q = log_softmax(logits.value().data<T>() + i * n, n),
                 p = log_softmax(target.data<T>() + i * n, n);
      for (int64_t j = 0; j < n; ++j) {
        const double at_p = std::exp(p[static_cast<size_t>(j)]);
        loss += at_p * (p[static_cast<size_t>(j)] - q[static_cast<size_t>(j)]);
        dx.data<T>()[i * n + j] =
            T(static_cast<acc_t<T>>(std::exp(q[static_cast<size_t>(j)]) - at_p));
      }
    }
  });
  const DType out = acc_dtype(logits.dtype());
  return record("kl_divergence", Tensor::full({1}, out, loss), {logits},
                [dx](const Tensor& dy, const Need&) {
                  return std::vector<Tensor>{scale(Var(dx), static_cast<float>(dy.item())).value()};
                });
}

}  // namespace lk
