#include "engine/tensor.h"

#include <cmath>
#include <limits>

#include "tests/support.h"

namespace lk {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// A binary float with `digits` significant bits and numbers from 2^least on, rounded to nearest,
// ties to even: by the definition, in double.
double rounded(double x, int digits, int least, double largest) {
  if (std::isnan(x) || std::isinf(x) || x == 0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - digits, least));
  const double y = std::nearbyint(x / unit) * unit;
  return std::abs(y) > largest ? std::copysign(kInf, x) : y;
}
double as_bf16(double x) { return rounded(x, 8, -133, std::ldexp(255.0, 120)); }
double as_f16(double x) { return rounded(x, 11, -24, 65504.0); }

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

// Every value of 16 bits, and around the middle of it and the next one.
std::vector<float> hard_values(DType half) {
  std::vector<float> out;
  const float inf = std::numeric_limits<float>::infinity();
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto word = static_cast<uint16_t>(bits), next = static_cast<uint16_t>(bits + 1);
    float a, b;
    convert(&a, DType::f32, &word, half, 1);
    convert(&b, DType::f32, &next, half, 1);
    const auto middle = static_cast<float>(0.5 * (static_cast<double>(a) + b));
    for (const float x : {a, middle, std::nextafter(middle, inf), std::nextafter(middle, -inf)})
      out.push_back(x);
  }
  for (const float x : {65520.0f, std::nextafter(65520.0f, 0.0f), 1e-45f, 3e38f, 3.4028235e38f})
    for (const float y : {x, -x}) out.push_back(y);
  return out;
}

TEST_CASE("tensor: f32 becomes bf16 and f16 by rounding to nearest even") {
  for (const DType half : {DType::bf16, DType::f16}) {
    const std::vector<float> values = hard_values(half);
    const Tensor from = Tensor::from(values), to = from.to(half), back = to.to(DType::f32);
    int64_t wrong = 0, nans = 0, tiny = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const auto x = static_cast<double>(values[i]);
      const double expected = half == DType::bf16 ? as_bf16(x) : as_f16(x);
      const auto at = static_cast<int64_t>(i);
      wrong += !same(to.item(at), expected) || !same(back.item(at), expected);
      nans += std::isnan(x);
      tiny += x != 0 && std::abs(x) < 1e-38;
    }
    CHECK(wrong == 0);
    CHECK(nans > 200);  // they are among them
    CHECK((half == DType::f16 || tiny > 200));
  }
}

TEST_CASE("tensor: every dtype becomes every float with its values kept") {
  // Whole numbers that each of them holds.
  for (const DType from : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                           DType::i8, DType::u8}) {
    const bool negative = from != DType::u8;
    const std::vector<double> values{0, 1, 2, 100, 127, negative ? -128.0 : 128.0};
    Tensor source = Tensor::empty({6}, from);
    for (int64_t i = 0; i < 6; ++i)
      source.rows(i, i + 1).copy_from(Tensor::full({1}, from, values[static_cast<size_t>(i)]));
    for (const DType to : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
      CAPTURE(name_of(from));
      CAPTURE(name_of(to));
      const Tensor t = source.to(to);
      CHECK(t.dtype() == to);
      CHECK(t.to_vector<double>() == values);
    }
    for (const DType to : {DType::i64, DType::i32, DType::i8, DType::u8})
      if (to != from)
        CHECK(test::error_of([&] { source.to(to); }).find("cannot convert") != std::string::npos);
  }
  // 2^53 + 1 and 2^24 + 1 are where i64 stops to fit into f64 and f32: nearest even.
  const Tensor big = Tensor::from<int64_t>({(int64_t{1} << 53) + 1, (1 << 24) + 1});
  CHECK(big.to(DType::f64).item(0) == 0x1p53);
  CHECK(big.to(DType::f32).item(1) == 0x1p24);
}

TEST_CASE("tensor: views and rows share, clones do not") {
  const Tensor t = Tensor::from<float>({0, 1, 2, 3, 4, 5}, {3, 2});
  CHECK(t.unique());
  const Tensor v = t.view({2, 3}), r = t.rows(1, 3), c = t.clone();
  CHECK(!t.unique());
  CHECK(c.unique());
  CHECK(v.dim(-1) == 3);
  CHECK(r.shape() == Shape{2, 2});
  CHECK(r.rows(1, 2).to_vector<int>() == std::vector<int>{4, 5});
  r.data<float>()[0] = 20;
  CHECK(v.item(2) == 20);
  CHECK(t.item(2) == 20);
  CHECK(c.item(2) == 2);
  r.zero();
  CHECK(t.to_vector<int>() == std::vector<int>{0, 1, 0, 0, 0, 0});
  CHECK(t.to(DType::f32).raw() == t.raw());
  CHECK(t.rows(3, 3).numel() == 0);
  CHECK(Tensor::zeros({0, 7}, DType::f32).rows(0, 0).shape() == Shape{0, 7});
  CHECK(Tensor::zeros({}, DType::f64).numel() == 1);
  CHECK(!Tensor().defined());
  CHECK(test::error_of([] {
          Tensor::from<float>({1, 2, 3}, {2, 2});
        }).find("3 values do not fill shape [2, 2]") != std::string::npos);
}

TEST_CASE("tensor: a mapped one keeps its owner and is never taken for writable") {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> watch = owner;
  const int64_t before = memory_stats().total_live;
  Tensor t = Tensor::mapped({2, 2}, DType::f32, owner->data(), owner);
  CHECK(memory_stats().total_live == before);
  owner.reset();
  CHECK(t.item(3) == 4);
  CHECK(!t.unique());
  CHECK(t.is_mapped());
  Tensor row = t.rows(1, 2);
  t = Tensor();
  CHECK(!watch.expired());
  CHECK(row.clone().unique());
  row = Tensor();
  CHECK(watch.expired());
}

}  // namespace
}  // namespace lk
