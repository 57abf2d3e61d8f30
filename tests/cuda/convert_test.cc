#include "engine/kernels/convert.h"

#include "tests/cuda/figures.h"
#include "tests/cuda/kernel_case.h"

namespace lk::test {
namespace {

TEST_CASE("cuda convert equals the CPU's to the bit") {
  for (const int64_t n : {1, 31, 33, 1023, 50257})
    for (const int64_t first : {0, 1, 8}) {
      compare_with_cpu<float>("to bf16", 0, [=](auto isa, auto, Operands& o) {
        bf16* y = o.in_out(bf16{}, n + first);
        convert(isa, y + first, o.in(0.0f, n + first) + first, n);
      });
      compare_with_cpu<float>("to f32", 0, [=](auto isa, auto, Operands& o) {
        float* y = o.in_out(0.0f, n + first);
        convert(isa, y + first, o.in(bf16{}, n + first) + first, n);
      });
    }
  check_figures("convert", {});
}

}  // namespace
}  // namespace lk::test
