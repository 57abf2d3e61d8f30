#include "engine/kernels/gemm_4bit.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/weight_4bit.h"

namespace lk::test {
namespace {

// y = x W^T + bias in double, of weights restored in bf16.
template <class Isa>
void reference(Isa isa, bf16* y, const bf16* x, int64_t rows, const Matrix4Bit& w,
               const float* bias, const std::string& type) {
  std::vector<bf16> dense(static_cast<size_t>(w.out * w.in));
  dequantize_4bit(isa, dense.data(), w.packed, w.absmax, 0, w.out * w.in, w.block, codebook4(type));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < w.out; ++o) {
      double sum = bias ? bias[o] : 0;
      for (int64_t i = 0; i < w.in; ++i)
        sum += static_cast<double>(x[r * w.in + i]) *
               static_cast<double>(dense[static_cast<size_t>(o * w.in + i)]);
      y[r * w.out + o] = bf16(static_cast<float>(sum));
    }
}

void compare(const Weight4Bit& weight, int64_t rows, bool biased) {
  const std::string what =
      fmt::format("{}, {} rows by [{}, {}], blocks of {}{}{}", weight.type, rows, weight.out,
                  weight.in, weight.block, weight.nested ? ", nested" : "", biased ? ", bias" : "");
  // One rounding of the result, which sums of f32 may tip.
  compare_with_cpu<bf16>(what, 4e-3, [&](auto isa, bf16, Operands& o) {
    bf16* y = o.out(bf16{}, rows * weight.out);
    const bf16* x = o.in(bf16{}, rows * weight.in);
    const float* bias = biased ? o.in(0.0f, weight.out) : nullptr;
    const Matrix4Bit w = weight.operand(isa, o);
    if constexpr (std::is_same_v<decltype(isa), Cuda>)
      gemm_4bit(isa, y, x, rows, w, bias);
    else
      reference(isa, y, x, rows, w, bias, weight.type);
  });
}

TEST_CASE("cuda gemm_4bit equals a product of doubles") {
  for (const char* type : {"nf4", "fp4", "int4"}) {
    compare({64, 256, 64, false, type}, 8, false);
    compare({5, 32, 32, true, type}, 7, true);  // one piece of columns, a part of a tile
  }
  for (const int64_t rows : {1, 9, 17, 31, 33, 64, 65, 130})  // every size of tile, and several
    compare({65, 416, 32, true}, rows, true);
  compare({63, 1024, 128, false}, 16, false);
  compare({128, 640, 64, true}, 32, true);
  compare({70, 2144, 32, true}, 33, true);  // columns in two parts, of 5 and 4 steps
  compare({33, 4064, 32, false}, 5, false);
  compare({196, 4096, 4096, false}, 50, false);
}

TEST_CASE("cuda gemm_4bit: figures; an odd address is refused") {
  // A lane's factors are 4 bytes, or one, of its rows of W: the sectors' rest comes from L1 later.
  check_figures("gemm_4bit", {.sector_efficiency = 0.83});
  const DeviceArray<bf16> x(65), y(2);
  const Weight4Bit weight{1, 64, 64};
  Operands o(true);
  const Matrix4Bit w = weight.operand(Cuda{}, o);
  const bf16* odd = x.data() + 1;
  CHECK(error_of([&] { gemm_4bit(Cuda{}, y.data(), odd, 1, w, nullptr); }).find("16 bytes") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk::test
