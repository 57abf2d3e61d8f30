// T5's relative position bias: distances between a key and a query fall into buckets, the near ones
// of one distance each, the far ones logarithmically wider, and each head learns a number for each
// bucket (Raffel et al. 2020, section 2.1).
#pragma once

#include "autograd/ops.h"
#include "nn/hooks.h"

namespace lk {

struct RelativePositions {
  Parameter weight;           // [buckets, heads]
  bool bidirectional = true;  // half of the buckets for keys behind the query
  int64_t max_distance = 128;

  RelativePositions() = default;
  RelativePositions(const std::string& module, int64_t buckets, int64_t heads, int64_t farthest,
                    bool both_ways)
      : weight(module + ".weight", {buckets, heads}),
        bidirectional(both_ways),
        max_distance(farthest) {}
  int32_t bucket(int64_t distance) const;  // distance: place of the key - place of the query
  RelativeBias operator()(const Packing& packing) const;
};

}  // namespace lk
