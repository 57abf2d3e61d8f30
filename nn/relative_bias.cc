#include "nn/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lk {

int32_t RelativePositions::bucket(int64_t distance) const {
  int64_t buckets = weight.shape[0], first = 0, n = std::max<int64_t>(-distance, 0);
  if (bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    n = std::abs(distance);
  }
  const int64_t exact = buckets / 2;
  if (n < exact) return static_cast<int32_t>(first + n);
  // In f32, as the reference has it: the border between two buckets depends on the rounding.
  const float share =
      std::log(static_cast<float>(n) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const auto far = exact + static_cast<int64_t>(share * static_cast<float>(buckets - exact));
  return static_cast<int32_t>(first + std::min(far, buckets - 1));
}

RelativeBias RelativePositions::operator()(const Packing& packing) const {
  RelativeBias bias;
  bias.table = weight.var;
  bias.bucket = [this](int64_t distance) { return bucket(distance); };
  for (size_t b = 0; b + 1 < packing.offsets.size(); ++b) {
    const bool empty = packing.offsets[b] == packing.offsets[b + 1];
    bias.q_start.push_back(empty ? 0 : packing.positions[static_cast<size_t>(packing.offsets[b])]);
  }
  return bias;
}

}  // namespace lk
