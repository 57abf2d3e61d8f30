#include "tools/train/consistency.h"

#include "autograd/ops.h"

namespace lk {
namespace {

struct Prediction {
  Var logits;  // [n, C] or, of the labelled tokens, [n, V]
  std::vector<int32_t> labels;
};

Prediction predict(Model& model, const Batch& batch, bool classes) {
  ModelInput in = as_input(batch);
  const Var h = model.hidden(in);
  if (classes) return {model.class_logits(h, in.packing), batch.class_labels};
  std::vector<int32_t> rows, labels;
  for (size_t t = 0; t < in.packing.labels.size(); ++t) {
    if (in.packing.labels[t] == -100) continue;
    rows.push_back(static_cast<int32_t>(t));
    labels.push_back(in.packing.labels[t]);
  }
  return {model.lm_logits(gather_rows(h, rows)), labels};
}

}  // namespace

BatchLoss with_consistency(bool classes, double weight) {
  return [=](Model& model, const Batch& batch) {
    const Prediction one = predict(model, batch, classes), two = predict(model, batch, classes);
    const Var apart = add(kl_divergence(one.logits, two.logits.value()),
                          kl_divergence(two.logits, one.logits.value()));
    return add(cross_entropy(one.logits, one.labels), scale(apart, static_cast<float>(weight)));
  };
}

}  // namespace lk
