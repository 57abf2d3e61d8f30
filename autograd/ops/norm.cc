// Layer and RMS norm over the last dimension, of x or of a sum that is made along the way;
// statistics are kept for the backward pass.
#include "engine/kernels/norm.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "autograd/saved.h"

namespace lk {
namespace {

// What a layer norm's forward pass leaves behind.
struct LayerStatistics {
  Tensor mean, rstd;  // [rows]
  Tensor gain, bias;  // [d], as kernels take them
};

LayerStatistics layer_statistics(const char* op, const Tensor& x, const Var& gain,
                                 const Var& bias) {
  const int64_t d = x.dim(-1);
  require(gain.value().numel() == d && bias.value().numel() == d, "{}: x {}, gain {}, bias {}", op,
          x.shape(), gain.shape(), bias.shape());
  const DType acc = acc_dtype(x.dtype());
  const Tensor mean = Tensor::empty({row_count(x)}, acc, x.device());
  return {mean, Tensor::like(mean), gain.value().to(acc), bias.value().to(acc)};
}

Var record_layer_norm(const Tensor& y, const Var& x, const Var& gain, const Var& bias,
                      const LayerStatistics& s) {
  if (!will_record({x, gain, bias})) return y;
  return record("layer_norm", y, {x, gain, bias},
                [saved = x.needs_grad() || gain.needs_grad() ? Saved(x) : Saved(), mean = s.mean,
                 rstd = s.rstd, g = s.gain, rows = s.mean.numel(), d = s.gain.numel(),
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
                                        x_saved.defined() ? x_saved.data<T>() : nullptr,
                                        mean.data<A>(), rstd.data<A>(), g.data<A>(), rows, d);
                  });
                  if (need[1]) grads[1] = grads[1].to(gt);
                  if (need[2]) grads[2] = grads[2].to(bt);
                  return grads;
                });
}

// The same of an RMS norm.
struct RmsStatistics {
  Tensor rstd;  // [rows]
  Tensor gain;  // [d]
};

RmsStatistics rms_statistics(const char* op, const Tensor& x, const Var& gain) {
  const int64_t d = gain.value().numel();
  require(d > 0 && x.dim(-1) % d == 0, "{}: x {}, gain {}", op, x.shape(), gain.shape());
  const DType acc = acc_dtype(x.dtype());
  return {Tensor::empty({x.numel() / d}, acc, x.device()), gain.value().to(acc)};
}

Var record_rms_norm(const Tensor& y, const Var& x, const Var& gain, const RmsStatistics& s) {
  if (!will_record({x, gain})) return y;
  return record("rms_norm", y, {x, gain},
                [saved = Saved(x), rstd = s.rstd, g = s.gain, rows = s.rstd.numel(),
                 d = s.gain.numel(), gt = gain.dtype()](const Tensor& dy, const Need& need) {
                  const Tensor x_saved = saved.get();
                  std::vector<Tensor> grads(2);
                  if (need[0]) grads[0] = Tensor::like(dy);
                  if (need[1]) grads[1] = Tensor::like(g);
                  on_float("rms_norm", dy, [&](auto isa, auto type) {
                    using T = decltype(type);
                    using A = acc_t<T>;
                    rms_norm_backward(isa, need[0] ? grads[0].data<T>() : nullptr,
                                      need[1] ? grads[1].data<A>() : nullptr, dy.data<T>(),
                                      x_saved.data<T>(), rstd.data<A>(), g.data<A>(), rows, d);
                  });
                  if (need[1]) grads[1] = grads[1].to(gt);
                  return grads;
                });
}

Var record_sum(const Tensor& sum, const Var& a, const Var& b) {
  return record("add", sum, {a, b}, [](const Tensor& dy, const Need&) {
    return std::vector<Tensor>{dy, dy};
  });
}

void check_summands(const char* op, const Var& a, const Var& b) {
  require(a.shape() == b.shape() && a.dtype() == b.dtype(), "{}: {} {} and {} {}", op,
          name_of(a.dtype()), a.shape(), name_of(b.dtype()), b.shape());
}

}  // namespace

Var layer_norm(const Var& x, const Var& gain, const Var& bias, float eps) {
  const LayerStatistics s = layer_statistics("layer_norm", x.value(), gain, bias);
  const Tensor y = Tensor::like(x.value());
  on_float("layer_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    layer_norm_forward(isa, y.data<T>(), s.mean.data<A>(), s.rstd.data<A>(), x.value().data<T>(),
                       s.gain.data<A>(), s.bias.data<A>(), s.mean.numel(), s.gain.numel(),
                       static_cast<A>(eps));
  });
  return record_layer_norm(y, x, gain, bias, s);
}

NormedSum add_layer_norm(const Var& a, const Var& b, const Var& gain, const Var& bias, float eps) {
  check_summands("add_layer_norm", a, b);
  const LayerStatistics s = layer_statistics("add_layer_norm", a.value(), gain, bias);
  const Tensor sum = Tensor::like(a.value()), y = Tensor::like(sum);
  on_float("add_layer_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    add_layer_norm_forward(isa, y.data<T>(), sum.data<T>(), s.mean.data<A>(), s.rstd.data<A>(),
                           a.value().data<T>(), b.value().data<T>(), s.gain.data<A>(),
                           s.bias.data<A>(), s.mean.numel(), s.gain.numel(), static_cast<A>(eps));
  });
  const Var x = record_sum(sum, a, b);
  return {x, record_layer_norm(y, x, gain, bias, s)};
}

Var rms_norm(const Var& x, const Var& gain, float eps) {
  const RmsStatistics s = rms_statistics("rms_norm", x.value(), gain);
  const Tensor y = Tensor::like(x.value());
  on_float("rms_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    rms_norm_forward(isa, y.data<T>(), s.rstd.data<A>(), x.value().data<T>(), s.gain.data<A>(),
                     s.rstd.numel(), s.gain.numel(), static_cast<A>(eps));
  });
  return record_rms_norm(y, x, gain, s);
}

NormedSum add_rms_norm(const Var& a, const Var& b, const Var& gain, float eps) {
  check_summands("add_rms_norm", a, b);
  const RmsStatistics s = rms_statistics("add_rms_norm", a.value(), gain);
  const Tensor sum = Tensor::like(a.value()), y = Tensor::like(sum);
  on_float("add_rms_norm", y, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    add_rms_norm_forward(isa, y.data<T>(), sum.data<T>(), s.rstd.data<A>(), a.value().data<T>(),
                         b.value().data<T>(), s.gain.data<A>(), s.rstd.numel(), s.gain.numel(),
                         static_cast<A>(eps));
  });
  const Var x = record_sum(sum, a, b);
  return {x, record_rms_norm(y, x, gain, s)};
}

}  // namespace lk
