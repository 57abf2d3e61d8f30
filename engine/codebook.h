// Code books: the values that a code of 4 or 8 bits stands for, between -1 and 1. A block of
// numbers is kept as codes and one factor, the block's largest magnitude (absmax).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lk {

// k-bit NormalFloat (Dettmers et al. 2023, arXiv:2305.14314, eq. 4): quantiles of N(0, 1), zero
// among them, with one more value above zero than below, scaled to [-1, 1]; rising. bits: 2..8. 4
// gives NF4 as published, to the bit.
std::vector<float> normal_float(int bits);

// Dynamic tree quantization (Dettmers 2015, arXiv:1511.04561): 256 rising values whose spacing
// grows with their magnitude, from 5.5e-7 to 1. Of both signs, or none below 0.
const std::array<float, 256>& dynamic_map(bool is_signed);

// For 8-bit codes: the nearest code of each of 65536 equal steps over [-1, 1] (bitsandbytes rounds
// to these steps first on the CPU), ties to the lower.
struct StepTable {
  std::array<float, 256> values;
  std::array<uint8_t, 65536> code;
};
const StepTable& dynamic_steps(bool is_signed);
// int8 absmax: the code c + 128 stands for c / 127; -128 is not used.
const StepTable& int8_steps();

// The inverse of the standard normal distribution's cumulative function, 0 < p < 1.
double normal_quantile(double p);

// A 4-bit code book in the two forms that kernels want.
struct Codebook4 {
  std::string name;
  std::array<float, 16> values;      // by code
  std::array<float, 15> thresholds;  // rising midpoints between neighbours; a tie goes down
  std::array<uint8_t, 16> order;     // the codes by rising value
};
// nf4; fp4 as bitsandbytes has it (a sign bit and {0, 1/192, 8, 12, 4, 6, 2, 3} / 12); int4 (-7..7,
// over 7). Error for another name; it lists these.
const Codebook4& codebook4(const std::string& name);

}  // namespace lk
