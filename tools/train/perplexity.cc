#include "tools/train/perplexity.h"

#include "tools/train/trainer.h"

namespace lk {

LossReport evaluate_loss(Model& model, const std::vector<Example>& examples,
                         int64_t tokens_per_batch) {
  const NoGrad no_grad;
  LossReport report;
  double total = 0;
  std::vector<const Example*> group;
  int64_t tokens = 0;
  const auto flush = [&] {
    if (group.empty()) return;
    const Batch batch = make_batch(group);
    total += language_loss(model, batch).value().item();
    report.labels += batch.labelled;
    group.clear();
    tokens = 0;
  };
  for (const Example& e : examples) {
    if (tokens + e.length() > tokens_per_batch) flush();
    group.push_back(&e);
    tokens += e.length();
  }
  flush();
  require(report.labels > 0, "there is no labelled token to evaluate");
  report.loss = total / static_cast<double>(report.labels);
  return report;
}

}  // namespace lk
