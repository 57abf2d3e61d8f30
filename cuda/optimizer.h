// Updates of many parameters by few launches.
#pragma once

#include <span>

#include "cuda/launch.h"
#include "engine/kernels/optimizer.h"

namespace lk {

struct AdamwTensor {
  float *p, *m, *v;
  const float* g;
  int64_t n;
};
// adamw_update of every tensor: one launch for each 64 of them.
void adamw_update_many(Cuda cuda, std::span<const AdamwTensor> tensors, const AdamwStep& step);

}  // namespace lk
