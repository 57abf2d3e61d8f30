// y = s x with a learnt number s [1].        dx = s dy     ds = sum(dy * x)
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "autograd/saved.h"

namespace lk {

Var scale_by(const Var& x, const Var& s) {
  require(s.value().numel() == 1, "scale_by: the factor is {}, expected one number", s.shape());
  const auto factor = static_cast<float>(s.value().item());
  const Var y = scale(x.value(), factor);
  return record(
      "scale_by", y.value(), {x, s},
      [factor, x_saved = s.needs_grad() ? Saved(x) : Saved(), shape = s.shape(), dtype = s.dtype()](
          const Tensor& dy, const Need& need) {
        std::vector<Tensor> grads(2);
        if (need[0]) grads[0] = scale(Var(dy), factor).value();
        if (need[1])
          grads[1] =
              sum(mul(Var(dy), Var(x_saved.get()))).value().to(dtype).view(shape).to(dy.device());
        return grads;
      });
}

}  // namespace lk
