#include "peft/torch_random.h"

#include <cmath>
#include <numeric>

namespace lk {

Tensor TorchRandom::uniform(const Shape& shape, double bound) {
  const auto to = static_cast<float>(bound), from = -to;
  Tensor out = Tensor::empty(shape, DType::f32);
  for (float& x : out.span<float>()) {
    const float unit = static_cast<float>(engine_() & ((1u << 24) - 1)) * 0x1p-24f;
    x = std::fma(unit, to - from, from);  // as the compiled code of torch rounds
  }
  return out;
}

std::vector<int64_t> TorchRandom::permutation(int64_t n, int64_t count) {
  require(n < UINT32_MAX / 20,
          "a permutation of {} places takes 64-bit random numbers; not supported", n);
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = 0; i < std::min(n - 1, count); ++i) {
    const auto other =
        static_cast<size_t>(i + static_cast<int64_t>(engine_() % static_cast<uint64_t>(n - i)));
    std::swap(all[static_cast<size_t>(i)], all[other]);
  }
  all.resize(static_cast<size_t>(count));
  return all;
}

}  // namespace lk
