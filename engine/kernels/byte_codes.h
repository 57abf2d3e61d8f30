// Blocks in 8-bit codes, as the kernels share it: quantization of weights' factors and of optimizer
// states.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/codebook.h"

namespace lk {
namespace {

// codes[i] = the nearest code to x[i] / absmax, returned; a NaN counts as the lowest code and not
// in absmax. A block of zeros gets codes 0 and absmax 0.
template <class T>
inline float encode_block(uint8_t* codes, const T* x, int64_t n, const StepTable& table) {
  float most = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float a = std::abs(static_cast<float>(x[i]));
    most = a > most ? a : most;
  }
  if (most == 0) {
    std::memset(codes, 0, static_cast<size_t>(n));
    return 0;
  }
  const float factor = 1.0f / most;
  const uint8_t* code = &table.code[0];
  constexpr int64_t kPiece = 256;
  for (int64_t at = 0; at < n; at += kPiece) {
    int32_t step[kPiece];
    const int64_t count = n - at < kPiece ? n - at : kPiece;
    for (int64_t i = 0; i < count; ++i) {
      const float v = static_cast<float>(x[at + i]) * factor;
      const float low = v > -1.0f ? v : -1.0f, inside = low < 1.0f ? low : 1.0f;
      // Not below 0, so adding a half rounds it. NOLINTNEXTLINE(bugprone-incorrect-roundings)
      step[i] = static_cast<int32_t>((inside + 1.0f) * 0.5f * 65535.0f + 0.5f);
    }
    for (int64_t i = 0; i < count; ++i) codes[at + i] = code[step[i]];
  }
  return most;
}

}  // namespace
}  // namespace lk
