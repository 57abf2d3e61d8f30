#include "engine/codebook.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace lk {
namespace {

// As torch.linspace in f32: from both ends towards the middle, each product and sum rounded once.
std::vector<float> linspace(float first, float last, int count) {
  std::vector<float> out(static_cast<size_t>(count));
  const float step = (last - first) / static_cast<float>(count - 1);
  for (int i = 0; i < count; ++i)
    out[static_cast<size_t>(i)] = i < count / 2
                                      ? std::fma(step, static_cast<float>(i), first)
                                      : std::fma(-step, static_cast<float>(count - 1 - i), last);
  return out;
}

std::array<float, 256> make_dynamic_map(bool is_signed) {
  std::vector<float> values{0.0f, 1.0f};
  for (int i = 0; i < 7; ++i) {
    const std::vector<float> bounds = linspace(0.1f, 1.0f, (1 << (is_signed ? i : i + 1)) + 1);
    const auto scale = static_cast<float>(std::pow(10.0, i - 6));
    for (size_t j = 0; j + 1 < bounds.size(); ++j) {
      const float mean = (bounds[j] + bounds[j + 1]) / 2.0f;
      values.push_back(scale * mean);
      if (is_signed) values.push_back(-scale * mean);
    }
  }
  std::sort(values.begin(), values.end());
  std::array<float, 256> out{};
  invariant(values.size() == out.size(), "the dynamic map has {} values", values.size());
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

StepTable make_steps(const std::array<float, 256>& values) {
  StepTable t{values, {}};
  size_t code = 0;
  for (size_t i = 0; i < t.code.size(); ++i) {
    const float x = -1.0f + 2.0f * static_cast<float>(i) / 65535.0f;
    while (code < 255 && 0.5f * (values[code] + values[code + 1]) < x) ++code;
    t.code[i] = static_cast<uint8_t>(code);
  }
  return t;
}

Codebook4 make_codebook4(const std::string& name, const std::array<float, 16>& values) {
  Codebook4 book{name, values, {}, {}};
  for (uint8_t i = 0; i < 16; ++i) book.order[i] = i;
  std::stable_sort(book.order.begin(), book.order.end(),
                   [&](uint8_t a, uint8_t b) { return values[a] < values[b]; });
  for (size_t i = 0; i < 15; ++i)
    book.thresholds[i] = (values[book.order[i]] + values[book.order[i + 1]]) / 2.0f;
  return book;
}

std::vector<Codebook4> make_codebooks4() {
  std::array<float, 16> nf4{}, fp4{}, int4{};
  const std::vector<float> normal = normal_float(4);
  std::copy(normal.begin(), normal.end(), nf4.begin());
  constexpr std::array<double, 8> twelfths{0, 1.0 / 16, 8, 12, 4, 6, 2, 3};
  for (size_t i = 0; i < 8; ++i) {
    fp4[i] = static_cast<float>(twelfths[i] / 12);
    fp4[i + 8] = i == 0 ? 0.0f : -fp4[i];
  }
  // Code 15 repeats 7/7: it is never chosen, as a tie goes to the lower.
  for (size_t i = 0; i < 16; ++i)
    int4[i] = static_cast<float>(std::min<int>(static_cast<int>(i) - 7, 7)) / 7.0f;
  return {make_codebook4("nf4", nf4), make_codebook4("fp4", fp4), make_codebook4("int4", int4)};
}

}  // namespace

double normal_quantile(double p) {
  require(p > 0 && p < 1, "the normal quantile of {} is not finite", p);
  double low = -40, high = 40;
  while (true) {
    const double x = 0.5 * (low + high);
    if (x <= low || x >= high) return x;
    (0.5 * std::erfc(-x / std::sqrt(2.0)) < p ? low : high) = x;
  }
}

std::vector<float> normal_float(int bits) {
  require(bits >= 2 && bits <= 8, "NormalFloat of {} bits: there are those of 2 to 8", bits);
  // The outermost quantile: the mean of 1 - 1/30 and 1 - 1/32.
  constexpr float offset = 0.9677083f;
  const int half = 1 << (bits - 1);
  std::vector<float> out{0.0f};
  std::vector<float> p = linspace(offset, 0.5f, half + 1);
  for (int i = 0; i < half; ++i)
    out.push_back(static_cast<float>(normal_quantile(p[static_cast<size_t>(i)])));
  p = linspace(offset, 0.5f, half);
  for (int i = 0; i + 1 < half; ++i)
    out.push_back(static_cast<float>(-normal_quantile(p[static_cast<size_t>(i)])));
  std::sort(out.begin(), out.end());
  const float largest = out.back();
  for (float& x : out) x /= largest;
  return out;
}

const std::array<float, 256>& dynamic_map(bool is_signed) {
  static const std::array<float, 256> with_sign = make_dynamic_map(true),
                                      without = make_dynamic_map(false);
  return is_signed ? with_sign : without;
}

const StepTable& dynamic_steps(bool is_signed) {
  static const StepTable with_sign = make_steps(dynamic_map(true)),
                         without = make_steps(dynamic_map(false));
  return is_signed ? with_sign : without;
}

const StepTable& int8_steps() {
  static const StepTable table = [] {
    std::array<float, 256> values{};
    for (int i = 0; i < 256; ++i)
      values[static_cast<size_t>(i)] = static_cast<float>(std::max(i - 128, -127)) / 127.0f;
    return make_steps(values);
  }();
  return table;
}

const Codebook4& codebook4(const std::string& name) {
  static const std::vector<Codebook4> books = make_codebooks4();
  for (const Codebook4& book : books)
    if (book.name == name) return book;
  fail("the 4-bit type '{}' is not known (known: nf4, fp4, int4)", name);
}

}  // namespace lk
