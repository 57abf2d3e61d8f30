#include "engine/kernels/matvec_4bit.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/weight_4bit.h"

namespace lk::test {
namespace {

// skip: elements before x, for another alignment.
void compare(const Weight4Bit& weight, int64_t rows, bool biased, int64_t skip = 0) {
  const std::string what =
      fmt::format("{}, {} rows by [{}, {}], blocks of {}{}{}", weight.type, rows, weight.out,
                  weight.in, weight.block, weight.nested ? ", nested" : "", biased ? ", bias" : "");
  // Sums of f32 in another order; in bf16 one rounding of the result.
  compare_with_cpu(what, 2e-6, 4e-3, [&](auto isa, auto t, Operands& o) {
    // x and the bias before the weight, whose operands differ in number.
    auto* y = o.out(t, rows * weight.out);
    const auto* x = o.in(t, rows * weight.in + skip) + skip;
    const float* bias = biased ? o.in(0.0f, weight.out) : nullptr;
    const Matrix4Bit w = weight.operand(isa, o);
    if constexpr (std::is_same_v<decltype(isa), Cuda>) {
      matvec_4bit(isa, y, weight.out, x, rows, w, bias);
    } else {
      using T = std::remove_pointer_t<decltype(y)>;
      using X = Lanes<decltype(isa), T>;
      std::vector<X> lanes(static_cast<size_t>(rows * lanes_of(weight.in)));
      put_in_lanes(isa, lanes.data(), x, rows, weight.in);
      const X* in_order = lanes.data();
      matvec_4bit(isa, y, weight.out, in_order, rows, w, bias);
    }
  });
}

TEST_CASE("cuda matvec_4bit equals the CPU's") {
  for (const char* type : {"nf4", "fp4", "int4"}) {
    compare({1, 32, 32, false, type}, 1, false);
    compare({5, 96, 32, true, type}, 1, true);
  }
  compare({33, 1088, 64, false}, 2, true);  // lanes without a piece in the second chunk
  compare({17, 2048, 128, true}, 3, false);
  compare({70, 4096, 4096, false}, 4, true);
  compare({150, 96, 32, false}, 1, false);
  compare({301, 128, 64, true}, 1, true);  // several rows of W for each warp, and a rest
  compare({301, 128, 128, false}, 2, false);
  compare({301, 64, 32, true}, 3, true);
  compare({301, 64, 64, false}, 4, true);
  compare({9, 13056, 64, true}, 4, false);  // x does not fit: bf16 in two slices, f32 in three
  compare({1, 25088, 256, false}, 1, false);
  compare({4, 192, 64, false}, 2, false, 1);  // an odd address
}

TEST_CASE("cuda matvec_4bit: what its lanes do not take is refused") {
  float* none = nullptr;
  const float* in = nullptr;
  Matrix4Bit w{4, 96, 64, nullptr, nullptr, codebook4("nf4").values.data()};
  w.nested_values = dynamic_map(true).data();
  const auto message = [&] {
    return error_of([&] { matvec_4bit(Cuda{}, none, 4, in, 1, w, nullptr); });
  };
  CHECK(message().find("rows of 96 in blocks of 64") != std::string::npos);
  w.block = 48;
  CHECK(message().find("rows of 96 in blocks of 48") != std::string::npos);
}

// The few sums of a warp are written by as many lanes.
TEST_CASE("cuda matvec_4bit: figures") { check_figures("matvec_4bit", {.active_lanes = 0.65}); }

}  // namespace
}  // namespace lk::test
