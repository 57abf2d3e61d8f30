#include <algorithm>

#include "nn/models/models.h"

namespace lk {

void require_decoder_task(const Config& config, Task task, std::string_view family) {
  if (task == Task::causal_lm || task == Task::classification) return;
  fail("{}: {} is a causal language model and has no head for {}; BERT and RoBERTa have one",
       config.file(), family,
       task == Task::token_classification ? "tags of tokens" : "masked tokens");
}

void set_common(ModelInfo& info, const Config& config, Task task) {
  info.eos_ids = config.ids("eos_token_id");
  info.bos_id = static_cast<int32_t>(config.integer("bos_token_id", 0, INT32_MAX, -1));
  info.pad_id = static_cast<int32_t>(config.integer("pad_token_id", -1, INT32_MAX, -1));
  info.labels = config.label_count();
  info.task = task;
  const bool classes = task == Task::classification || task == Task::token_classification;
  require(!classes || info.labels >= 1,
          "{}: the number of classes is unknown: neither num_labels nor id2label is given",
          config.file());
}

Var head_loss(Linear& head, const Var& h, std::span<const int32_t> labels) {
  const auto* dense = dynamic_cast<DenseWeight*>(&head.weight());
  if (dense && head.adapters().empty() && !head.has_bias())
    return linear_cross_entropy(h, dense->parameter().var, {}, labels);
  std::vector<int32_t> rows, kept;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == -100) continue;
    rows.push_back(static_cast<int32_t>(i));
    kept.push_back(labels[i]);
  }
  Var total;
  const auto block =
      static_cast<size_t>(std::clamp<int64_t>((16 << 20) / head.out_features(), 32, 1024));
  for (size_t begin = 0; begin < rows.size() || !total.defined(); begin += block) {
    const size_t end = std::min(rows.size(), begin + block);
    const std::vector<int32_t> part(kept.begin() + static_cast<std::ptrdiff_t>(begin),
                                    kept.begin() + static_cast<std::ptrdiff_t>(end));
    // Checkpointed, so that logits are made again in the backward pass and do not pile up.
    const Var loss =
        checkpoint([&head, part](const Var& x) { return cross_entropy(head(x), part); },
                   gather_rows(h, std::span(rows).subspan(begin, end - begin)));
    total = total.defined() ? add(total, loss) : loss;
  }
  return total;
}

std::vector<int32_t> last_rows(const Packing& packing) {
  std::vector<int32_t> rows;
  for (size_t b = 1; b < packing.offsets.size(); ++b) rows.push_back(packing.offsets[b] - 1);
  return rows;
}

std::vector<int32_t> first_rows(const Packing& packing) {
  return {packing.offsets.begin(),
          packing.offsets.empty() ? packing.offsets.end() : packing.offsets.end() - 1};
}

}  // namespace lk
