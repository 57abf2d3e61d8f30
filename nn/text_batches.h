// Texts to be read without training, as many together as memory bears.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nn/model.h"

namespace lk {

// Calls f(begin, end) for runs of items that together have at most `budget` tokens.
void in_batches(size_t count, int64_t budget, const std::function<int64_t(size_t)>& tokens,
                const std::function<void(size_t, size_t)>& f);

// Puts a document behind those in `ids` and `packing`. Error when it has no tokens or more than the
// model's context.
void add_document(std::vector<int32_t>& ids, Packing& packing, std::span<const int32_t> tokens,
                  const ModelInfo& info);

}  // namespace lk
