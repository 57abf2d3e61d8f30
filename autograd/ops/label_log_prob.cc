// y[i] = log softmax(z[i])[label[i]]; dz[i] = dy[i] (onehot(label[i]) - softmax(z[i])).
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/kernels/softmax_cross_entropy.h"

namespace lk {

Var label_log_prob(const Var& logits, std::span<const int32_t> labels) {
  require_cpu("label_log_prob", logits.value());
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  require(static_cast<int64_t>(labels.size()) == rows, "label_log_prob: {} labels for {} rows",
          labels.size(), rows);
  for (const int32_t label : labels)
    require(label >= 0 && label < classes, "label_log_prob: label {} is outside the {} classes",
            label, classes);
  const DType acc = acc_dtype(logits.dtype());
  const Tensor z = logits.value().to(acc);
  const bool recording = will_record({logits});
  Tensor dz = recording ? Tensor::empty(z.shape(), acc) : Tensor();
  std::vector<double> losses(static_cast<size_t>(rows));
  Tensor y = Tensor::empty({rows}, acc);
  on_float(acc, [&](auto isa, auto type) {
    using T = decltype(type);
    softmax_cross_entropy(isa, recording ? dz.data<T>() : nullptr, losses.data(), z.data<T>(),
                          labels.data(), rows, classes);
    for (int64_t i = 0; i < rows; ++i)
      y.data<T>()[i] = static_cast<T>(-losses[static_cast<size_t>(i)]);
  });
  return record("label_log_prob", y, {logits},
                [dz, dtype = logits.dtype()](const Tensor& dy, const Need&) {
                  Tensor dx = Tensor::empty(dz.shape(), dz.dtype());
                  on_float(dz.dtype(), [&](auto, auto type) {
                    using T = decltype(type);
                    const int64_t width = dz.dim(1);
                    for (int64_t i = 0; i < dz.numel(); ++i)
                      dx.data<T>()[i] = -dy.data<T>()[i / width] * dz.data<T>()[i];
                  });
                  return std::vector<Tensor>{dx.to(dtype)};
                });
}

}  // namespace lk
