// A matrix in 4-bit blocks as an operand of a kernel's test: for the CPU's kernel its factors are
// restored.
#pragma once

#include <string>

#include "engine/kernels/blockwise.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {

struct Weight4Bit {
  int64_t out, in, block;
  bool nested = false;
  std::string type = "nf4";

  template <class Isa>
  Matrix4Bit operand(Isa, Operands& o) const {
    const int64_t blocks = out * in / block;
    std::vector<uint8_t> codes, absmax_codes;
    for (int64_t i = 0; i < out * in / 2; ++i)
      codes.push_back(static_cast<uint8_t>((i * i + 37 * i) % 256));
    for (int64_t b = 0; b < blocks; ++b) absmax_codes.push_back(static_cast<uint8_t>(b * 89 % 256));
    std::vector<float> absmax, scales;
    for (int64_t b = 0; b * kNestedBlock < blocks; ++b)
      scales.push_back(0.25f + 0.5f * static_cast<float>(b % 3));
    constexpr float kOffset = 1.25f;  // factors are not negative
    for (int64_t b = 0; b < blocks; ++b) {
      const auto code = absmax_codes[static_cast<size_t>(b)];
      const float product = dynamic_map(true)[code] * scales[static_cast<size_t>(b / kNestedBlock)];
      absmax.push_back(product + kOffset);
    }
    Matrix4Bit w{out, in, block, o.in(codes), nullptr, codebook4(type).values.data()};
    if (nested && std::is_same_v<Isa, Cuda>) {
      w.absmax_codes = o.in(absmax_codes);
      w.nested = o.in(scales);
      w.nested_values = dynamic_map(true).data();
      w.offset = kOffset;
    } else {
      w.absmax = o.in(absmax);
    }
    return w;
  }
};

}  // namespace lk::test
