// Code books, blocks of every size, and numbers that are no numbers.
#include "quant/blockwise.h"

#include <cmath>
#include <limits>

#include "engine/codebook.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInf = std::numeric_limits<float>::infinity();

// By the definition, one element at a time, in double.
std::vector<double> nearest(const std::vector<float>& x, const QuantSpec& spec) {
  std::vector<double> values;
  if (spec.type == "int8")
    for (int c = -127; c <= 127; ++c) values.push_back(c / 127.0);
  else
    for (const float v : codebook4(spec.type).values) values.push_back(static_cast<double>(v));
  std::vector<double> out;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t begin =
        i / static_cast<size_t>(spec.block_size) * static_cast<size_t>(spec.block_size);
    const size_t end = std::min(x.size(), begin + static_cast<size_t>(spec.block_size));
    double most = 0;
    for (size_t j = begin; j < end; ++j) most = std::max(most, std::abs(static_cast<double>(x[j])));
    double best = 0, distance = INFINITY;
    for (const double v : values)
      if (const double d = std::abs(v * most - static_cast<double>(x[i])); d < distance) {
        distance = d;
        best = v * most;
      }
    out.push_back(best);
  }
  return out;
}

}  // namespace

TEST_CASE("codebook: NF4 is computed, and equals the published values to the bit") {
  constexpr float published[16] = {-1.0f,
                                   -0.6961928009986877f,
                                   -0.5250730514526367f,
                                   -0.39491748809814453f,
                                   -0.28444138169288635f,
                                   -0.18477343022823334f,
                                   -0.09105003625154495f,
                                   0.0f,
                                   0.07958029955625534f,
                                   0.16093020141124725f,
                                   0.24611230194568634f,
                                   0.33791524171829224f,
                                   0.44070982933044434f,
                                   0.5626170039176941f,
                                   0.7229568362236023f,
                                   1.0f};
  const std::vector<float> computed = normal_float(4);
  for (size_t i = 0; i < 16; ++i) CHECK(computed[i] == published[i]);
  for (const int bits : {2, 3, 5, 8}) {
    const std::vector<float> values = normal_float(bits);
    CHECK(values.size() == size_t{1} << bits);
    CHECK(values.front() == -1.0f);
    CHECK(values.back() == 1.0f);
    CHECK(std::is_sorted(values.begin(), values.end()));
    CHECK(std::count(values.begin(), values.end(), 0.0f) == 1);
  }
  CHECK(error_of([] { normal_float(9); }).find("2 to 8") != std::string::npos);
  CHECK(error_of([] { codebook4("nf3"); }).find("nf4, fp4, int4") != std::string::npos);
}

TEST_CASE("codebook: normal quantiles invert the distribution function") {
  for (const double p : {1e-6, 0.1, 0.5, 0.9677083, 0.999999})
    CHECK(std::abs(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)) - p) <= 1e-15);
  CHECK(error_of([] { normal_quantile(1.0); }).find("not finite") != std::string::npos);
}

TEST_CASE("codebook: the dynamic map") {
  for (const bool is_signed : {true, false}) {
    const auto& map = dynamic_map(is_signed);
    CHECK(std::is_sorted(map.begin(), map.end()));
    CHECK(map[255] == 1.0f);
    CHECK(map[is_signed ? 127 : 0] == 0.0f);
    CHECK(map[is_signed ? 128 : 1] <= 5.6e-7f * (is_signed ? 1.0f : 6.0f));
    // Every value is restored from its own code where the steps are fine enough to tell.
    const StepTable& steps = dynamic_steps(is_signed);
    for (size_t c = 0; c < 256; ++c) {
      if (std::abs(map[c]) < 1e-3f) continue;
      const auto step = static_cast<size_t>((map[c] + 1.0f) * 0.5f * 65535.0f + 0.5f);
      CHECK(steps.code[step] == c);
    }
  }
}

TEST_CASE("blockwise: every type, block size and dtype restores the nearest value") {
  for (const std::string& type : quant_types())
    for (const int64_t block : {32, 64, 256, 1024, 4096})
      for (const int64_t n : {1, 31, 64, 1023, 4099, 8192}) {
        CAPTURE(type);
        CAPTURE(block);
        CAPTURE(n);
        const QuantSpec spec{type, block, false};
        const Tensor x = random_tensor({n}, DType::f32, static_cast<uint64_t>(n));
        const std::vector<double> expected = nearest(x.to_vector<float>(), spec);
        const Quantized q = quantize(x, spec);
        CHECK(q.codes.numel() == (type == "int8" ? n : (n + 1) / 2));
        const Tensor y = dequantize(q, DType::f32);
        double error = 0;
        for (int64_t i = 0; i < n; ++i) {
          const double scale = std::abs(x.item(i)) + 1.0;
          const double d = std::abs(y.item(i) - expected[static_cast<size_t>(i)]) / scale;
          // int8: a value half way between two codes may go either way, by the 65536 steps.
          if (type == "int8" && std::abs(y.item(i) - x.item(i)) <=
                                    std::abs(expected[static_cast<size_t>(i)] - x.item(i)) +
                                        3e-5 * q.absmax.item(i / block))
            continue;
          if (!(d <= error)) error = d;
        }
        CHECK(error <= 1e-6);
        // bf16 is the f32 result rounded, and any range equals the whole.
        const Tensor half = dequantize(q, DType::bf16);
        CHECK(same_bits(half, y.to(DType::bf16)));
        for (const int64_t begin : {int64_t{0}, n / 3, n - 1}) {
          std::vector<float> part(static_cast<size_t>(n - begin));
          dequantize_range(part.data(), DType::f32, q, begin, n - begin);
          CHECK(std::memcmp(part.data(), y.data<float>() + begin, part.size() * 4) == 0);
        }
      }
}

TEST_CASE("blockwise: double quantization keeps the factors within a step of the dynamic map") {
  const Tensor x = random_tensor({300, 200}, DType::f32, 8);
  const Quantized plain = quantize(x, {"nf4", 64, false}), twice = quantize(x, {"nf4", 64, true});
  CHECK(same_bits(plain.codes, twice.codes));
  std::vector<float> factors(static_cast<size_t>(twice.blocks()));
  block_factors(factors.data(), twice, 0, twice.blocks());
  double spread = 0;
  for (int64_t b = 0; b < plain.blocks(); ++b)
    spread = std::max(spread, std::abs(plain.absmax.item(b) - static_cast<double>(twice.offset)));
  for (int64_t b = 0; b < plain.blocks(); ++b)
    CHECK(std::abs(static_cast<double>(factors[static_cast<size_t>(b)]) - plain.absmax.item(b)) <=
          0.008 * spread);
  // 4.127 bits for a weight in the paper's counting; the last nested block is partial here.
  const double bits = 8.0 * static_cast<double>(twice.bytes()) / static_cast<double>(x.numel());
  CHECK(bits < 4.14);
}

TEST_CASE("blockwise: zeros, NaN and infinity") {
  std::vector<float> x(64 * 4 + 5, 0.0f);
  x[64] = kNan;
  x[64 + 3] = 2.0f;
  x[128 + 1] = -kInf;
  x[192] = 3.0f;
  for (const std::string& type : quant_types()) {
    CAPTURE(type);
    const Tensor y = dequantize(quantize(Tensor::from(x), {type, 64, false}), DType::f32);
    for (int64_t i = 0; i < 64; ++i) CHECK(y.item(i) == 0);
    // A NaN is never hidden: in 4 bits its block is NaN, in 8 bits it takes the lowest code.
    if (type != "int8") CHECK(std::isnan(y.item(64)));
    CHECK(!std::isfinite(y.item(129)));  // nor is an infinity
    CHECK(y.item(192) == 3.0);
    for (int64_t i = 193; i < 261; ++i) CHECK(y.item(i) == 0);
  }
  // Doubled: all blocks alike, so that nothing is left after the mean is taken off.
  const Tensor zeros =
      dequantize(quantize(Tensor::zeros({1000}, DType::f32), {"nf4", 64, true}), DType::f32);
  for (int64_t i = 0; i < 1000; ++i) CHECK(zeros.item(i) == 0);
  CHECK(quantize(Tensor::zeros({0}, DType::f32), {"nf4", 64, true}).codes.numel() == 0);
}

TEST_CASE("blockwise: what cannot be quantized") {
  const Tensor x = Tensor::zeros({64}, DType::f32);
  CHECK(error_of([&] { quantize(x, {"nf5", 64, false}); }).find("known: nf4") != std::string::npos);
  for (const int64_t block : {0, 16, 48, 8192, -64})
    CHECK(error_of([&] {
            quantize(x, {"nf4", block, false});
          }).find("32 to 4096") != std::string::npos);
  CHECK(error_of([&] {
          quantize(Tensor::zeros({64}, DType::i32), {"nf4", 64, false});
        }).find("i32") != std::string::npos);
}

}  // namespace lk::test
