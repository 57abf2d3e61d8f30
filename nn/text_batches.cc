#include "nn/text_batches.h"

namespace lk {

void in_batches(size_t count, int64_t budget, const std::function<int64_t(size_t)>& tokens,
                const std::function<void(size_t, size_t)>& f) {
  for (size_t begin = 0, end = 0; begin < count; begin = end) {
    int64_t sum = tokens(end++);
    while (end < count && sum + tokens(end) <= budget) sum += tokens(end++);
    f(begin, end);
  }
}

void add_document(std::vector<int32_t>& ids, Packing& packing, std::span<const int32_t> tokens,
                  const ModelInfo& info) {
  require(!tokens.empty(), "a text has no tokens");
  require(static_cast<int64_t>(tokens.size()) <= info.max_positions,
          "a text of {} tokens is longer than the model's context of {}", tokens.size(),
          info.max_positions);
  if (packing.offsets.empty()) packing.offsets.push_back(0);
  for (size_t t = 0; t < tokens.size(); ++t) packing.positions.push_back(static_cast<int32_t>(t));
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  packing.offsets.push_back(static_cast<int32_t>(ids.size()));
}

}  // namespace lk
