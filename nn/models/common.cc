#include "nn/models/models.h"

namespace lk {

void set_common(ModelInfo& info, const Config& config, Task task) {
  info.eos_ids = config.ids("eos_token_id");
  info.bos_id = static_cast<int32_t>(config.integer("bos_token_id", 0, INT32_MAX, -1));
  info.pad_id = static_cast<int32_t>(config.integer("pad_token_id", -1, INT32_MAX, -1));
  info.labels = config.label_count();
  require(task != Task::classification || info.labels >= 1,
          "{}: the number of classes is unknown: neither num_labels nor id2label is given",
          config.file());
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
