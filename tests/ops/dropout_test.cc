#include <doctest/doctest.h>

#include <cmath>

#include "engine/rng.h"
#include "tests/cuda/watch.h"
#include "tests/ops/op_case.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("dropout: the mask is the documented function of seed, stream and place") {
  const int64_t n = 1003;
  for (const Device device : {Device::cpu, Device::cuda}) {
    if (device == Device::cuda && test::sanitized()) continue;  // the emulator has its own checker
    CAPTURE(name_of(device));
    dropout_state() = {9, 5};
    const test::Watch watch;
    const Var x = Var::leaf(Tensor::full({n}, DType::f32, 2.0).to(device));
    const Var y = dropout(x, 0.25f);
    CHECK(dropout_state().next_stream == 6);
    backward(y, Tensor::full({n}, DType::f32, 1.0).to(device));
    CHECK(watch.faults() == "");
    int64_t kept = 0;
    for (int64_t i = 0; i < n; ++i) {
      const bool keep =
          to_uniform(philox(9, 5, static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)]) >=
          0.25f;
      kept += keep;
      CHECK(std::abs(y.value().item(i) - (keep ? 2.0 / 0.75 : 0.0)) <= 1e-6);
      CHECK(std::abs(x.grad().item(i) - (keep ? 1.0 / 0.75 : 0.0)) <= 1e-6);
    }
    CHECK(kept > 700);
    CHECK(kept < 800);
    CHECK_THROWS_AS(dropout(x, 1.0f), Error);
  }
}

TEST_CASE("philox: the published test vectors of Random123") {
  // kat_vectors of Random123 1.14, philox4x32 10.
  CHECK(philox(0, 0, 0) == Philox4{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(philox(~0ull, ~0ull, ~0ull) == Philox4{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
}

}  // namespace
}  // namespace lk
