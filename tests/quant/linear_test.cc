// The product with a quantized matrix: values and gradients against double precision, for a few
// rows (from the codes) and many (from panels), and the memory it takes.
#include "quant/linear.h"

#include "quant/quantized_weight.h"
#include "tests/ops/op_case.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

void check_product(const QuantSpec& spec, int64_t rows, int64_t in, int64_t out) {
  const auto q = std::make_shared<const Quantized>(
      quantize(random_tensor({out, in}, DType::f32, 5, 0.1), spec));
  const Numbers w = dequantize(*q, DType::f32).to_vector<double>();
  OpCase c;
  c.name = fmt::format("{} block {}{}, [{}, {}] times [{}, {}]", spec.type, spec.block_size,
                       spec.double_quant ? " double" : "", rows, in, out, in);
  c.shapes = {{rows, in}, {out}};
  c.op = [q](const std::vector<Var>& v) {
    const auto there = std::make_shared<const Quantized>(q->to(v[0].value().device()));
    return quantized_linear(v[0], there, v[1]);
  };
  c.reference = [=](const std::vector<Numbers>& v) {
    Numbers y;
    for (int64_t t = 0; t < rows; ++t)
      for (int64_t o = 0; o < out; ++o) {
        double sum = v[1][static_cast<size_t>(o)];
        for (int64_t i = 0; i < in; ++i)
          sum += v[0][static_cast<size_t>(t * in + i)] * w[static_cast<size_t>(o * in + i)];
        y.push_back(sum);
      }
    return y;
  };
  check_op(c);
}

}  // namespace

TEST_CASE("quantized_linear: against double precision") {
  for (const std::string& type : quant_types()) {
    check_product({type, 64, false}, 1, 128, 7);  // from the codes, but for int8
    check_product({type, 32, true}, 3, 96, 9);
    check_product({type, 64, true}, 6, 50, 5);  // rows and blocks cross
  }
  check_product({"nf4", 64, true}, 2, 64, 33);
  check_product({"nf4", 64, false}, 4, 320, 3);
  check_product({"nf4", 128, true}, 1, 77, 4);  // no code path: odd rows
}

TEST_CASE(
    "quantized_linear: several panels give what one dense product gives, and no dense copy lives") {
  const int64_t in = 1536, out = 2560, rows = 5;
  const auto q = std::make_shared<const Quantized>(
      quantize(random_tensor({out, in}, DType::f32, 1, 0.02), {"nf4", 64, true}));
  const Var x = Var::leaf(random_tensor({rows, in}, DType::f32, 2));
  const Tensor dy = random_tensor({rows, out}, DType::f32, 3);
  reset_memory_peak();
  const int64_t before = memory_stats().total_live;
  const Var y = quantized_linear(x, q, {});
  backward(y, dy);
  const int64_t most = memory_stats().total_peak - before;
  // Two panels of 4 MB at most (one in the other's dtype), beside x, y and dx.
  CHECK(most < in * out * 4 / 2);
  CHECK(memory_stats().live[static_cast<size_t>(Category::workspace)] == 0);

  const Var x2 = Var::leaf(x.value());
  const Var y2 = linear(x2, dequantize(*q, DType::f32), {}, false);
  backward(y2, dy);
  const auto near = [](const Tensor& a, const Tensor& b) {
    double difference = 0, size = 0;
    for (int64_t i = 0; i < a.numel(); ++i) {
      const double d = std::abs(a.item(i) - b.item(i));
      if (!(d <= difference)) difference = d;
      size = std::max(size, std::abs(b.item(i)));
    }
    return difference / size;
  };
  CHECK(near(y.value(), y2.value()) <= 1e-5);
  CHECK(near(x.grad(), x2.grad()) <= 1e-5);
}

TEST_CASE("quantized_linear: bf16 from the codes, with outliers, against double precision") {
  const int64_t in = 416, out = 9;
  for (const int64_t rows : {1, 2, 3, 4})
    for (const char* type : {"nf4", "fp4", "int4"}) {
      const QuantSpec spec{type, 32, rows % 2 == 0};
      const auto q = std::make_shared<const Quantized>(
          quantize(random_tensor({out, in}, DType::f32, 5, 0.1), spec));
      Tensor wide = random_tensor({rows, in}, DType::f32, 6);
      for (int64_t i = 3; i < rows * in; i += 101)
        wide.data<float>()[i] *= i % 2 == 0 ? 1000.0f : 1e-12f;
      const Tensor x = wide.to(DType::bf16);
      const Tensor y = quantized_linear(x, q, {}).value();
      const Numbers w = dequantize(*q, DType::f32).to_vector<double>();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t o = 0; o < out; ++o) {
          double sum = 0, unit = 0;
          for (int64_t at = 0; at < in; at += 128) {
            double most = 0, weights = 0;
            for (int64_t i = at; i < std::min(in, at + 128); ++i) {
              const double v = x.item(r * in + i), weight = w[static_cast<size_t>(o * in + i)];
              sum += v * weight;
              most = std::max(most, std::abs(v));
              weights = std::max(weights, std::abs(weight));
            }
            unit += 16 * most * weights;
          }
          CAPTURE(type);
          CAPTURE(rows);
          // The result's rounding; x and the code book are off by 2^-14 of their largest at most,
          // and of 128 errors either way the sum is not above 16.
          CHECK(std::abs(y.item(r * out + o) - sum) <=
                std::abs(sum) / 256 + unit * std::ldexp(1.0, -14));
        }
    }
}

TEST_CASE("quantized_linear: what is not finite stays in its row") {
  const auto q = std::make_shared<const Quantized>(
      quantize(random_tensor({5, 160}, DType::f32, 5, 0.1), {"nf4", 32, false}));
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
      Tensor x = random_tensor({3, 160}, DType::f32, 6);
      x.data<float>()[160 + 150] = bad;
      const Tensor y = quantized_linear(x.to(dtype), q, {}).value();
      for (int64_t o = 0; o < 5; ++o) {
        CHECK(std::isfinite(y.item(o)));
        CHECK(!std::isfinite(y.item(5 + o)));
        CHECK(std::isfinite(y.item(10 + o)));
      }
    }
  const Tensor tiny = Tensor::full({1, 160}, DType::bf16, 1e-38);
  for (const Tensor& x : {Tensor::zeros({1, 160}, DType::bf16), tiny}) {
    const Tensor y = quantized_linear(x, q, {}).value();
    for (int64_t o = 0; o < 5; ++o) CHECK(std::abs(y.item(o)) < 1e-36);
  }
}

TEST_CASE("QuantizedWeight: dense and assign") {
  const Tensor w = random_tensor({12, 40}, DType::f32, 4, 0.1);
  for (const std::string& type : quant_types()) {
    CAPTURE(type);
    QuantizedWeight weight("w", quantize(w, {type, 32, false}), false);
    CHECK(weight.in_features() == 40);
    CHECK(weight.out_features() == 12);
    const Tensor restored = weight.dense(DType::f32);
    // What came out of a code book goes in again unchanged.
    weight.assign(restored);
    CHECK(same_bits(weight.dense(DType::f32), restored));
    CHECK(weight.dense(DType::f64).dtype() == DType::f64);
  }
}

TEST_CASE("quantized_linear: shapes that do not fit") {
  const auto q = std::make_shared<const Quantized>(
      quantize(random_tensor({8, 32}, DType::f32, 1), {"nf4", 32, false}));
  CHECK(error_of([&] {
          quantized_linear(Tensor::zeros({2, 31}, DType::f32), q, {});
        }).find("32 features") != std::string::npos);
  CHECK(error_of([&] {
          quantized_linear(Tensor::zeros({2, 32}, DType::f32), q, Tensor::zeros({7}, DType::f32));
        }).find("bias") != std::string::npos);
}

}  // namespace lk::test
