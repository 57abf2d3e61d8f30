// exp, tanh and the normal distribution as branch-free arithmetic, so that loops over them
// vectorise. float: about 2 units in the last place where not said otherwise; double: the standard
// library.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace lk::math {

[[gnu::always_inline]] static constexpr double abs(double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(x) & 0x7fffffffffffffffu);
}
[[gnu::always_inline]] static constexpr float abs(float x) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0x7fffffffu);
}

[[gnu::always_inline]] static inline double exp(double x) { return std::exp(x); }

// 2^n e^r with n = round(x / ln 2); 0 below -87, e^88 above 88. A NaN stays one.
[[gnu::always_inline]] static constexpr float exp(float x) {
  const float c = x > 88.0f ? 88.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to n, which its last bits hold
  const float z = c * 1.44269504f + magic, n = z - magic;
  const float r = (c - n * 0.693359375f) - n * -2.12194440e-4f;
  const float p =
      1.0f +
      r * (1.0f +
           r * (0.5f + r * (1.66666657e-1f +
                            r * (4.16657917e-2f + r * (8.33345205e-3f + r * 1.39815420e-3f)))));
  const float y = p * std::bit_cast<float>((std::bit_cast<uint32_t>(z) << 23) + 0x3f800000u);
  return x < -87.0f ? 0.0f : y;
}

[[gnu::always_inline]] static inline double tanh(double x) { return std::tanh(x); }

[[gnu::always_inline]] static constexpr float tanh(float x) {
  const float x2 = x * x;
  const float small =
      x * (1.0f + x2 * (-1.0f / 3 + x2 * (2.0f / 15 + x2 * (-17.0f / 315 + x2 * (62.0f / 2835)))));
  const float large = 1.0f - 2.0f / (math::exp(2.0f * x) + 1.0f);
  return x2 < 0.09f ? small : large;
}

template <class A>
[[gnu::always_inline]] static constexpr A sigmoid(A x) {
  return A(1) / (A(1) + math::exp(-x));
}

// The density of a standard normal at x.
template <class A>
[[gnu::always_inline]] static constexpr A normal_pdf(A x) {
  return A(0.3989422804014327) * math::exp(A(-0.5) * x * x);
}

// P(Z <= x) for a standard normal Z. float: relative error below 1.5e-6 down to x = -8, 5e-6
// beyond.
[[gnu::always_inline]] static inline double normal_cdf(double x) {
  return 0.5 * std::erfc(-x * 0.7071067811865476);
}

[[gnu::always_inline]] static constexpr float normal_cdf(float x) {
  // The tail over exp(-x^2 / 2) is t p(t): p is a minimax fit of relative error 7e-8. The
  // exponential is that of normal_pdf, so that where both are wanted it is computed once.
  const float t = 1.0f / (1.0f + 0.318198052f * math::abs(x));
  const float p =
      0.126901158f +
      t * (0.127824328f +
           t * (0.106167288f +
                t * (0.127712706f +
                     t * (-0.0640610778f +
                          t * (0.2341716f +
                               t * (-0.23987381f + t * (0.0941704343f + t * -0.0130125913f)))))));
  const float tail = t * p * math::exp(-0.5f * x * x);
  return x < 0 ? tail : 1.0f - tail;
}

// -2 ln(u) for u in (0, 1]: exponent and a polynomial of the mantissa (error below 2e-7 of the
// range).
[[gnu::always_inline]] static constexpr float minus_two_log(float u) {
  const auto bits = std::bit_cast<uint32_t>(u);
  const int32_t e =
      static_cast<int32_t>((bits - 0x3f3504f3u)) >> 23;  // mantissa in [sqrt(1/2), sqrt(2))
  const float m = std::bit_cast<float>(bits - (static_cast<uint32_t>(e) << 23));
  const float t = (m - 1.0f) / (m + 1.0f), t2 = t * t;
  const float log_m =
      2.0f * t * (1.0f + t2 * (1.0f / 3 + t2 * (1.0f / 5 + t2 * (1.0f / 7 + t2 * (1.0f / 9)))));
  return -2.0f * (log_m + static_cast<float>(e) * 0.69314718056f);
}

// sin and cos of 2 pi v for v in [0, 1): quadrant and Taylor polynomials on [-pi/4, pi/4].
[[gnu::always_inline]] static constexpr void sin_cos_turn(float v, float& s, float& c) {
  const float quadrant =
      static_cast<float>(static_cast<int32_t>(v * 4.0f + 0.5f));  // NOLINT: v >= 0
  const float x = (v - quadrant * 0.25f) * 6.28318530718f, x2 = x * x;
  const float sx =
      x *
      (1.0f + x2 * (-1.0f / 6 + x2 * (1.0f / 120 + x2 * (-1.0f / 5040 + x2 * (1.0f / 362880)))));
  const float cx =
      1.0f + x2 * (-0.5f + x2 * (1.0f / 24 + x2 * (-1.0f / 720 + x2 * (1.0f / 40320))));
  const int32_t q = static_cast<int32_t>(quadrant) & 3;
  const float a = q & 1 ? cx : sx, b = q & 1 ? sx : cx;
  s = q & 2 ? -a : a;
  c = (q == 1 || q == 2) ? -b : b;
}

// float: for |x| up to 1e4, the quadrant taken off in three parts (Cody and Waite) and the Taylor
// polynomials of sin_cos_turn.
[[gnu::always_inline]] static inline void sin_cos(double x, double& s, double& c) {
  s = std::sin(x), c = std::cos(x);
}

[[gnu::always_inline]] static constexpr void sin_cos(float x, float& s, float& c) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float n = (x * 0.636619772f + magic) - magic;
  const float r = ((x - n * 1.5703125f) - n * 4.837512969970703e-4f) - n * 7.549789948768648e-8f;
  const float r2 = r * r;
  const float sr =
      r *
      (1.0f + r2 * (-1.0f / 6 + r2 * (1.0f / 120 + r2 * (-1.0f / 5040 + r2 * (1.0f / 362880)))));
  const float cr =
      1.0f + r2 * (-0.5f + r2 * (1.0f / 24 + r2 * (-1.0f / 720 + r2 * (1.0f / 40320))));
  const bool known = x > -1e6f && x < 1e6f;
  const int32_t q = (known ? static_cast<int32_t>(n) : 0) & 3;
  const float a = q & 1 ? cr : sr, b = q & 1 ? sr : cr;
  const float none = (x - x) / (x - x);  // NaN
  s = known ? (q & 2 ? -a : a) : none;
  c = known ? ((q == 1 || q == 2) ? -b : b) : none;
}

}  // namespace lk::math
