// Updates whose states are kept in 8-bit blocks (Dettmers et al. 2021, arXiv:2110.02861): codes of
// the dynamic map and a factor for every 256 elements. States are restored, used and quantized
// again block by block, with the roundings of bitsandbytes on the CPU. An element whose gradient is
// not finite stays as it is, with states 0.
#pragma once

#include <cstdint>

#include "engine/codebook.h"
#include "engine/kernels/optimizer.h"

namespace lk {

inline constexpr int64_t kStateBlock = 256;

struct State8 {
  uint8_t* codes;          // [n]
  float* absmax;           // [ceil(n / 256)]
  const StepTable* table;  // dynamic_steps: signed for first moments, unsigned for second ones
};

// AdamW of n elements: p -= lr wd p, then as adamw_update.
template <class Isa>
void adamw8bit_update(Isa, float* p, const float* g, State8 m, State8 v, int64_t n,
                      const AdamwStep& s);

template <class Isa>
void lion8bit_update(Isa, float* p, const float* g, State8 m, int64_t n, double lr, double beta1,
                     double beta2, double weight_decay);

}  // namespace lk
