#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"

namespace lk {
namespace {

TEST_CASE("rotary") {
  const std::vector<int32_t> positions{0, 1, 7};
  for (const int64_t half : {1, 3, 16}) {
    std::vector<float> freq;
    for (int64_t i = 0; i < half; ++i) freq.push_back(1.0f / static_cast<float>(i + 1));
    const int64_t heads = 2, d = 2 * half;
    test::check_op(
        {.name = "rotary",
         .shapes = {{3, heads * d}},
         .op = [&](const auto& x) { return rotary(x[0], positions, freq, d, 1.25f); },
         .reference =
             [&](const auto& x) {
               test::Numbers y(x[0].size());
               for (int64_t t = 0; t < 3; ++t)
                 for (int64_t h = 0; h < heads; ++h)
                   for (int64_t i = 0; i < half; ++i) {
                     const auto a = static_cast<size_t>((t * heads + h) * d + i),
                                b = a + static_cast<size_t>(half);
                     const double angle = positions[static_cast<size_t>(t)] *
                                          static_cast<double>(freq[static_cast<size_t>(i)]);
                     y[a] = 1.25 * (x[0][a] * std::cos(angle) - x[0][b] * std::sin(angle));
                     y[b] = 1.25 * (x[0][b] * std::cos(angle) + x[0][a] * std::sin(angle));
                   }
               return y;
             }});
  }
}

}  // namespace
}  // namespace lk
