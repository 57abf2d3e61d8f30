// What a training run of a tiny model reads.
#pragma once

#include <vector>

#include "data/batch.h"
#include "engine/rng.h"
#include "tests/tiny_models.h"

namespace lk::test {

// Texts of many lengths; the first half of each carries no label, so their counts differ.
inline std::vector<Example> tiny_examples(int count, bool classes) {
  std::vector<Example> out;
  Random random(3);
  for (int i = 0; i < count; ++i) {
    const int length = 2 + static_cast<int>(random.below(14));
    Example e;
    e.ids = random_documents({length + 1}, static_cast<uint64_t>(i))[0];
    for (int t = 0; t < length; ++t)
      e.labels.push_back(classes || t < length / 2 ? -100 : e.ids[static_cast<size_t>(t) + 1]);
    e.ids.pop_back();
    if (classes) e.class_label = i % 3;
    out.push_back(e);
  }
  return out;
}

}  // namespace lk::test
