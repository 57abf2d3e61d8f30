#include "engine/kernels/blockwise.h"

#include "engine/codebook.h"
#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

struct Coded {
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
  Coded(int64_t n, int64_t block) {
    for (int64_t i = 0; i < n; ++i) codes.push_back(static_cast<uint8_t>(i * 37 % 256));
    for (int64_t b = 0; b * block < n; ++b)
      absmax.push_back(0.25f + 0.5f * static_cast<float>(b % 7));
  }
};

TEST_CASE("cuda dequantize_4bit equals the CPU's to the bit") {
  for (const char* type : {"nf4", "fp4", "int4"})
    for (const int64_t block : {32, 64, 4096})
      for (const auto& [begin, n] : {std::pair<int64_t, int64_t>{0, 1},
                                     {0, 31},
                                     {64, 1023},
                                     {7, 300},
                                     {0, 4096},
                                     {block, 50257}}) {
        if (block == 4096 && n < 4096) continue;
        const Coded c(begin + n, block);
        compare_with_cpu(type, 0, 0, [&, from = begin, count = n](auto isa, auto t, Operands& o) {
          auto* y = o.out(t, count);
          const auto* absmax = o.in(c.absmax) + from / block;
          dequantize_4bit(isa, y, o.in(c.codes), absmax, from, count, block, codebook4(type));
        });
      }
  check_figures("dequantize_4bit", {});
}

TEST_CASE("cuda dequantize_8bit and restore_factors equal the CPU's to the bit") {
  const float* values = int8_steps().values.data();
  for (const auto& [begin, n] : {std::pair<int64_t, int64_t>{0, 1},
                                 {0, 31},
                                 {0, 33},
                                 {64, 1023},
                                 {3, 300},
                                 {72, 1000},
                                 {0, 50257}}) {
    const Coded c(begin + n, 64);
    compare_with_cpu("int8", 0, 0, [&, from = begin, count = n](auto isa, auto t, Operands& o) {
      auto* y = o.out(t, count);
      const auto* absmax = o.in(c.absmax) + from / 64;
      dequantize_8bit(isa, y, o.in(c.codes), absmax, from, count, 64, values);
    });
  }
  // Blocks that packs would cross.
  const Coded odd(1023, 6);
  compare_with_cpu("int8, blocks of six", 0, 0, [&](auto isa, auto t, Operands& o) {
    dequantize_8bit(isa, o.out(t, 1023), o.in(odd.codes), o.in(odd.absmax), 0, 1023, 6, values);
  });
  for (const int64_t n : {1, 31, 33, 1023, 50257}) {
    const Coded nested(n, 256);
    compare_with_cpu<float>("factors", 0, [&](auto isa, auto t, Operands& o) {
      auto* factors = o.out(t, n);
      restore_factors(isa, factors, o.in(nested.codes), o.in(nested.absmax), n, 256,
                      dynamic_map(true).data(), 0.37f);
    });
  }
  check_figures("dequantize_8bit", {});
  check_figures("restore_factors", {});
}

}  // namespace
}  // namespace lk::test
