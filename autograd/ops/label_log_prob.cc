// y[i] = log softmax(z[i])[label[i]]; dz[i] = dy[i] (onehot(label[i]) - softmax(z[i])).
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/softmax_cross_entropy.h"

namespace lk {

Var label_log_prob(const Var& logits, std::span<const int32_t> labels) {
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  require(static_cast<int64_t>(labels.size()) == rows, "label_log_prob: {} labels for {} rows",
          labels.size(), rows);
  for (const int32_t label : labels)
    require(label >= 0 && label < classes, "label_log_prob: label {} is outside the {} classes",
            label, classes);
  const DType acc = acc_dtype(logits.dtype());
  const Tensor z = logits.value().to(acc);
  const bool recording = will_record({logits});
  Tensor dz = recording ? Tensor::like(z) : Tensor();
  const Tensor losses = Tensor::empty({rows}, DType::f64, z.device()),
               at = numbers_on(z.device(), labels);
  on_float("label_log_prob", z, [&](auto isa, auto type) {
    using T = decltype(type);
    softmax_cross_entropy(isa, recording ? dz.data<T>() : nullptr, losses.data<double>(),
                          z.data<T>(), at.data<int32_t>(), rows, classes);
  });
  std::vector<double> log_p = losses.to_vector<double>();
  for (double& l : log_p) l = -l;
  const Tensor y = Tensor::from<double>(log_p).to(acc).to(z.device());
  return record("label_log_prob", y, {logits},
                [dz, dtype = logits.dtype()](const Tensor& dy, const Need&) {
                  const Tensor dx = Tensor::like(dz), factor = scale(Var(dy), -1.0f).value();
                  on_float("label_log_prob", dz, [&](auto isa, auto type) {
                    using T = decltype(type);
                    mul_column_forward(isa, dx.data<T>(), dz.data<T>(), factor.data<acc_t<T>>(),
                                       dz.dim(0), dz.dim(1));
                  });
                  return std::vector<Tensor>{dx.to(dtype)};
                });
}

}  // namespace lk
