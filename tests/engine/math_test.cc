// The kernels' own exp, tanh and normal distribution against the standard library's in double.
#include "engine/kernels/math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lk {
namespace {

// The largest |f(x) - reference(x)| over `scale`(reference) for floats from low to high.
template <class F, class R, class S>
double largest_error(float low, float high, F f, R reference, S scale) {
  double worst = 0;
  const int steps = 200000;
  for (int i = 0; i <= steps; ++i) {
    const float x = low + (high - low) * (static_cast<float>(i) / steps);
    const double expected = reference(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(f(x)) - expected) / scale(expected));
  }
  return worst;
}

const auto relative = [](double y) { return std::abs(y); };
const auto absolute = [](double) { return 1.0; };
const auto normal = [](double x) { return 0.5 * std::erfc(-x * 0.7071067811865476); };
const auto cdf = [](float x) { return math::normal_cdf(x); };

TEST_CASE("math::exp: within about two units in the last place, and what lies beyond its range") {
  const auto f = [](float x) { return math::exp(x); };
  const auto reference = [](double x) { return std::exp(x); };
  CHECK(largest_error(-87, 88, f, reference, relative) < 3e-7);
  CHECK(f(-87.5f) == 0.0f);
  CHECK(f(-1e30f) == 0.0f);
  CHECK(f(-std::numeric_limits<float>::infinity()) == 0.0f);
  CHECK(f(1e30f) == f(88.0f));
  CHECK(f(0.0f) == 1.0f);
  CHECK(std::isnan(f(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("math::normal_cdf: the tail keeps its digits") {
  CHECK(largest_error(-3, 8, cdf, normal, relative) < 6e-7);
  CHECK(largest_error(-8, -3, cdf, normal, relative) < 1.5e-6);
  CHECK(largest_error(-13, -8, cdf, normal, relative) < 5e-6);
  CHECK(cdf(-1e30f) == 0.0f);
  CHECK(cdf(1e30f) == 1.0f);
  CHECK(std::isnan(cdf(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("math::tanh and math::sigmoid") {
  CHECK(largest_error(
            -20, 20, [](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); },
            absolute) < 2e-7);
  CHECK(largest_error(
            -80, 20, [](float x) { return math::sigmoid(x); },
            [](double x) { return 1 / (1 + std::exp(-x)); }, relative) < 4e-7);
}

}  // namespace
}  // namespace lk
