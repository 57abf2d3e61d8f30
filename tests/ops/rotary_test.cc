#include <doctest/doctest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

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
         .op =
             [&](const auto& x) {
               return rotary(x[0], make_rotary_table(positions, freq, 1.25f, x[0].dtype(),
                                                     x[0].value().device()));
             },
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

// As a key-value cache takes the keys of one document of a batch.
TEST_CASE("rotary_into: some tokens of the table, into rows of a larger tensor") {
  const std::vector<int32_t> positions{4, 0, 1, 2, 9};
  const std::vector<float> freq{1.0f, 0.5f, 0.25f, 0.125f};
  for (const Device device : {Device::cpu, Device::cuda})
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Tensor x = test::random_tensor({5, 16}, dtype, 1).to(device);
      const RotaryTable table = make_rotary_table(positions, freq, 1.25f, dtype, device);
      const Tensor all = rotary(x, table).value(), cache = Tensor::zeros({7, 16}, dtype, device);
      rotary_into(cache.rows(2, 5), x.rows(1, 4), table, 1);
      CHECK(test::same_bits(cache.rows(2, 5).to(Device::cpu), all.rows(1, 4).to(Device::cpu)));
      CHECK(test::same_bits(cache.rows(0, 2).to(Device::cpu), Tensor::zeros({2, 16}, dtype)));
      CHECK(test::same_bits(cache.rows(5, 7).to(Device::cpu), Tensor::zeros({2, 16}, dtype)));
      CHECK(test::error_of([&] { rotary_into(x, x, table, 1); }).find("from 1 on") !=
            std::string::npos);
    }
}

}  // namespace
}  // namespace lk
