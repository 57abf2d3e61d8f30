// Where LoRA's A and B start.
#pragma once

#include "peft/linear_method.h"

namespace lk {

struct LoraStart {
  Tensor a, b;        // [r, in], [out, r]
  Tensor new_weight;  // [out, in] where the base becomes the rest W - s B A; else undefined
};

struct LoftqConfig {
  int64_t bits = 0;  // 0: whatever the base is held in
  int64_t iterations = 1;
};

// kind: the value of init_lora_weights: "true" (A Kaiming-uniform, B 0), "false" (both at random),
// "gaussian" (A N(0, 1 / r)), "orthogonal" (A and B of different halves of an orthonormal basis, so
// that B A = 0), "pissa", "pissa_niter_N", "olora", "loftq" (on a quantized base). scale: s. Error
// for others.
LoraStart lora_start(Place& place, const std::string& kind, int64_t r, double scale,
                     const LoftqConfig& loftq = {});

}  // namespace lk
