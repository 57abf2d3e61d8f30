// The maximum of numbers and the sum of exp(x - maximum), both in one pass (Milakov and Gimelshein
// 2018, "Online normalizer calculation for softmax").
#pragma once

#include "cuda/intrinsics.h"
#include "engine/kernels/math.h"

namespace lk {

struct MaxAndSum {
  float max, sum;  // of nothing: -inf and 0
  template <class E>
  __device__ __forceinline__ void add(const E& e) {
    float top = max;
    for (const auto value : e.at) top = Maximum{}(static_cast<float>(value), top);
    if (top == -INFINITY) return;
    sum *= math::exp(max - top);
    for (const auto value : e.at) sum += math::exp(static_cast<float>(value) - top);
    max = top;
  }
};
struct Merge {
  __device__ __forceinline__ MaxAndSum operator()(MaxAndSum a, MaxAndSum b) const {
    const float top = Maximum{}(a.max, b.max);
    if (top == -INFINITY) return {top, 0.0f};
    return {top, a.sum * math::exp(a.max - top) + b.sum * math::exp(b.max - top)};
  }
};

}  // namespace lk
