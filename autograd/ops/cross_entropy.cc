// Sum of -log softmax(logits)[label] over labelled rows; d logits = softmax - onehot.
#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/kernels/softmax_cross_entropy.h"

namespace lk {

Var cross_entropy(const Var& logits, std::span<const int32_t> labels) {
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  require(static_cast<int64_t>(labels.size()) == rows, "cross_entropy: {} labels for {} rows",
          labels.size(), rows);
  for (const int32_t label : labels)
    require(label == -100 || (label >= 0 && label < classes),
            "cross_entropy: label {} is outside the {} classes", label, classes);
  const DType acc = acc_dtype(logits.dtype());
  const Tensor z = logits.value().to(acc);
  const bool recording = will_record({logits});
  Tensor dz = recording ? Tensor::like(z) : Tensor();
  const Tensor losses = Tensor::empty({rows}, DType::f64, z.device()),
               at = numbers_on(z.device(), labels);
  on_float("cross_entropy", z, [&](auto isa, auto type) {
    using T = decltype(type);
    softmax_cross_entropy(isa, recording ? dz.data<T>() : nullptr, losses.data<double>(),
                          z.data<T>(), at.data<int32_t>(), rows, classes);
  });
  double total = 0;
  for (const double l : losses.to_vector<double>()) total += l;
  return record("cross_entropy", Tensor::full({1}, acc, total), {logits},
                [dz, dtype = logits.dtype()](const Tensor& dy, const Need&) {
                  const Var scaled = scale(Var(dz), static_cast<float>(dy.item()));
                  return std::vector<Tensor>{scaled.value().to(dtype)};
                });
}

}  // namespace lk
