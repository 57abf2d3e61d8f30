// Block-wise quantization: every block of numbers becomes codes and the block's largest magnitude,
//   absmax[b] = max |x|        code = the nearest value of the code book to x / absmax[b]
//   y = value[code] absmax[b], rounded to y's dtype
// Bytes are those of bitsandbytes on the CPU. 4-bit codes lie two in a byte, the first in the high
// half. A block with NaN in it has absmax NaN and comes back as NaN.
#pragma once

#include <cstdint>

#include "engine/codebook.h"

namespace lk {

// packed: [(n + 1) / 2], absmax: [ceil(n / block)]; x: [n] of float, bf16 or f16. block is even.
template <class Isa, class T>
void quantize_4bit(Isa, uint8_t* packed, float* absmax, const T* x, int64_t n, int64_t block,
                   const Codebook4& book);

// y = elements [begin, begin + n) of what was packed, in this thread; absmax: of the block that
// holds `begin` and of those after it. T: float, bf16, f16.
template <class Isa, class T>
void dequantize_4bit(Isa, T* y, const uint8_t* packed, const float* absmax, int64_t begin,
                     int64_t n, int64_t block, const Codebook4& book);

// A matrix [out, in] packed in 4-bit blocks that lie within its rows: in is a multiple of block, a
// power of two from 32 on.
struct Matrix4Bit {
  int64_t out, in, block;
  const uint8_t* packed;  // [out, in / 2]
  const float* absmax;  // [out, in / block]; null where they are quantized themselves (CUDA alone)
  const float* values;  // [16], on the host
  // As restore_factors takes them: codes [out, in / block], nested for 256 of these each.
  const uint8_t* absmax_codes = nullptr;
  const float* nested = nullptr;
  const float* nested_values = nullptr;  // [256], on the host
  float offset = 0;
};
inline constexpr int64_t kNestedBlock = 256;

// codes: [n]. A NaN counts as the lowest code and not in absmax, as in bitsandbytes.
template <class Isa, class T>
void quantize_8bit(Isa, uint8_t* codes, float* absmax, const T* x, int64_t n, int64_t block,
                   const StepTable& table);

template <class Isa, class T>
void dequantize_8bit(Isa, T* y, const uint8_t* codes, const float* absmax, int64_t begin, int64_t n,
                     int64_t block, const float* values);

// The factors of blocks that are quantized themselves: factors[i] = values[codes[i]] nested[i /
// block] + offset, the product rounded before the sum. factors, codes: [count].
template <class Isa>
void restore_factors(Isa, float* factors, const uint8_t* codes, const float* nested, int64_t count,
                     int64_t block, const float* values, float offset);

}  // namespace lk
