// Layer and RMS norm over the last dimension; statistics are kept for the backward pass.
#include "engine/kernels/norm.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "autograd/saved.h"

namespace lk {

Var layer_norm(const Var& x, const Var& gain, const Var& bias, float eps) {
  const int64_t d = x.dim(-1), rows = row_count(x.value());
  require(gain.value().numel() == d && bias.value().numel() == d,
          "layer_norm: x {}, gain {}, bias {}", x.shape(), gain.shape(), bias.shape());
  const DType acc = acc_dtype(x.dtype());
  const Tensor g = gain.value().to(acc), b = bias.value().to(acc);
  Tensor y = Tensor::like(x.value()), mean = Tensor::empty({rows}, acc, y.device()),
         rstd = Tensor::like(mean);
  on_float("layer_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    layer_norm_forward(isa, y.data<T>(), mean.data<A>(), rstd.data<A>(), x.value().data<T>(),
                       g.data<A>(), b.data<A>(), rows, d, static_cast<A>(eps));
  });
  if (!will_record({x, gain, bias})) return y;
  return record(
      "layer_norm", y, {x, gain, bias},
      [saved = x.needs_grad() || gain.needs_grad() ? Saved(x) : Saved(), mean, rstd, g, rows, d,
       gt = gain.dtype(), bt = bias.dtype()](const Tensor& dy, const Need& need) {
        const Tensor x_saved = saved.get();
        std::vector<Tensor> grads(3);
        if (need[0]) grads[0] = Tensor::like(dy);
        if (need[1]) grads[1] = Tensor::like(g);
        if (need[2]) grads[2] = Tensor::like(g);
        on_float("layer_norm", dy, [&](auto isa, auto type) {
          using T = decltype(type);
          using A = acc_t<T>;
          layer_norm_backward(isa, need[0] ? grads[0].data<T>() : nullptr,
                              need[1] ? grads[1].data<A>() : nullptr,
                              need[2] ? grads[2].data<A>() : nullptr, dy.data<T>(),
                              x_saved.defined() ? x_saved.data<T>() : nullptr, mean.data<A>(),
                              rstd.data<A>(), g.data<A>(), rows, d);
        });
        if (need[1]) grads[1] = grads[1].to(gt);
        if (need[2]) grads[2] = grads[2].to(bt);
        return grads;
      });
}

Var rms_norm(const Var& x, const Var& gain, float eps) {
  const int64_t d = gain.value().numel(), rows = x.value().numel() / std::max<int64_t>(d, 1);
  require(d > 0 && x.dim(-1) % d == 0, "rms_norm: x {}, gain {}", x.shape(), gain.shape());
  const DType acc = acc_dtype(x.dtype());
  const Tensor g = gain.value().to(acc);
  Tensor y = Tensor::like(x.value()), rstd = Tensor::empty({rows}, acc, y.device());
  on_float("rms_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    rms_norm_forward(isa, y.data<T>(), rstd.data<A>(), x.value().data<T>(), g.data<A>(), rows, d,
                     static_cast<A>(eps));
  });
  if (!will_record({x, gain})) return y;
  return record(
      "rms_norm", y, {x, gain},
      [saved = Saved(x), rstd, g, rows, d, gt = gain.dtype()](const Tensor& dy, const Need& need) {
        const Tensor x_saved = saved.get();
        std::vector<Tensor> grads(2);
        if (need[0]) grads[0] = Tensor::like(dy);
        if (need[1]) grads[1] = Tensor::like(g);
        on_float("rms_norm", dy, [&](auto isa, auto type) {
          using T = decltype(type);
          using A = acc_t<T>;
          rms_norm_backward(isa, need[0] ? grads[0].data<T>() : nullptr,
                            need[1] ? grads[1].data<A>() : nullptr, dy.data<T>(), x_saved.data<T>(),
                            rstd.data<A>(), g.data<A>(), rows, d);
        });
        if (need[1]) grads[1] = grads[1].to(gt);
        return grads;
      });
}

}  // namespace lk
