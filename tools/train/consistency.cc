#include "tools/train/consistency.h"

#include "autograd/ops.h"

namespace lk {

Prediction predict(Model& model, const Batch& batch, Task task) {
  ModelInput in = as_input(batch);
  const Var h = model.hidden(in);
  if (task == Task::classification) return {model.class_logits(h, in.packing), batch.class_labels};
  std::vector<int32_t> rows, labels;
  for (size_t t = 0; t < in.packing.labels.size(); ++t) {
    if (in.packing.labels[t] == -100) continue;
    rows.push_back(static_cast<int32_t>(t));
    labels.push_back(in.packing.labels[t]);
  }
  const Var labelled = gather_rows(h, rows);
  return {task == Task::token_classification ? model.class_logits(labelled, in.packing)
                                             : model.lm_logits(labelled),
          labels};
}

BatchLoss with_consistency(Task task, double weight) {
  return with_consistency(
      [task](Model& model, const Batch& batch) { return predict(model, batch, task); }, weight);
}

BatchLoss with_consistency(const Predict& predict, double weight) {
  return [=](Model& model, const Batch& batch) {
    const Prediction one = predict(model, batch), two = predict(model, batch);
    const Var apart = add(kl_divergence(one.logits, two.logits.value()),
                          kl_divergence(two.logits, one.logits.value()));
    return add(cross_entropy(one.logits, one.labels), scale(apart, static_cast<float>(weight)));
  };
}

}  // namespace lk
