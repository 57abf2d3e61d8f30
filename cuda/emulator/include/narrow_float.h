// Floating point in 16 bits, in either of CUDA's formats: the numbers behind cuda_fp16.h and
// cuda_bf16.h. Each operation is rounded once, to nearest even where nothing else is said; products
// and sums are never contracted, as nvcc may do.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cuda_runtime.h"

namespace emu {

// IEEE half: 1 + 5 + 10 bits. bfloat16: the upper half of a float, 1 + 8 + 7.
struct HalfFormat {
  static constexpr int kFraction = 10, kLeast = -14;  // kLeast: exponent of the least normal number
};
struct Bf16Format {
  static constexpr int kFraction = 7, kLeast = -126;
};
template <class F>
inline constexpr uint16_t kInfinity = static_cast<uint16_t>(0x7fff >> F::kFraction << F::kFraction);
inline constexpr uint16_t kNan = 0x7fff;  // as the device gives it, in both formats

enum class Rounding { nearest, zero, up, down };

// The bits of the number next to `value` as the rounding says.
template <class F>
uint16_t narrow(double value, Rounding rounding = Rounding::nearest) {
  const auto all = std::bit_cast<uint64_t>(value);
  const uint64_t magnitude = all & ~uint64_t{0} >> 1, infinite = uint64_t{0x7ff} << 52;
  const bool negative = all != magnitude;
  const auto sign = static_cast<uint16_t>(negative ? 0x8000 : 0);
  if (magnitude > infinite) return kNan;
  if (magnitude == infinite) return sign | kInfinity<F>;
  if (magnitude == 0) return sign;
  // A double below its own normal range is as good as any that is far below F's.
  const int above = static_cast<int>(magnitude >> 52) - 1023 - F::kLeast;
  const uint64_t hidden = uint64_t{1} << 52, significand = (magnitude & (hidden - 1)) | hidden;
  const int drop = std::min(52 - F::kFraction + std::max(0, -above), 62);
  const uint64_t rest = significand & ((uint64_t{1} << drop) - 1), half = uint64_t{1} << (drop - 1);
  uint64_t kept = significand >> drop;
  const bool away = rounding == Rounding::up     ? !negative
                    : rounding == Rounding::down ? negative
                                                 : rounding == Rounding::nearest;
  if (rounding == Rounding::nearest)
    kept += rest > half || (rest == half && (kept & 1) != 0);
  else
    kept += away && rest != 0;
  // The hidden bit of `kept` counts the exponent one up; so does a carry.
  const uint64_t bits = (static_cast<uint64_t>(std::max(0, above)) << F::kFraction) + kept;
  if (bits >= kInfinity<F>)
    return sign | static_cast<uint16_t>(away ? kInfinity<F> : kInfinity<F> - 1);
  return sign | static_cast<uint16_t>(bits);
}

template <class F>
float widen(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
  constexpr int kShift = 23 - F::kFraction;
  constexpr uint32_t kRebias = static_cast<uint32_t>(126 + F::kLeast) << 23;  // 0 for bfloat16
  if constexpr (kRebias != 0)
    if (magnitude >> F::kFraction == 0) {
      constexpr float kUnit = 1.0f / static_cast<float>(1 << (F::kFraction - F::kLeast));
      const float size = static_cast<float>(magnitude) * kUnit;
      return sign != 0 ? -size : size;
    }
  const uint32_t infinite = magnitude >= kInfinity<F> ? 0x7f800000u : 0;
  return std::bit_cast<float>(sign | ((magnitude << kShift) + kRebias) | infinite);
}

// An integer as a double from which rounding to 16 bits gives what the integer would: the last bit
// says whether lower ones were lost.
template <class I>
double sticky(I value) {
  bool negative = false;
  if constexpr (std::is_signed_v<I>) negative = value < 0;
  auto magnitude = static_cast<uint64_t>(value);
  if (negative) magnitude = ~magnitude + 1;
  if (magnitude >> 53 != 0) magnitude = (magnitude >> 11 | ((magnitude & 0x7ff) != 0)) << 11;
  const auto size = static_cast<double>(magnitude);
  return negative ? -size : size;
}

// a + b in the same way.
inline double sticky_sum(double a, double b) {
  const double sum = a + b, b_part = sum - a, lost = (a - (sum - b_part)) + (b - b_part);
  auto bits = std::bit_cast<uint64_t>(sum);
  if (!std::isfinite(sum) || lost == 0 || (bits & 1) != 0) return sum;
  bits += (lost > 0) == (sum > 0) ? 1 : ~uint64_t{0};
  return std::bit_cast<double>(bits);
}

// A number of format F. The conversions are those of CUDA's classes, implicit as there.
template <class F>
struct Narrow {
  struct Raw {
    unsigned short x;
  };
  uint16_t bits;

  Narrow() = default;
  template <class T>
  requires std::is_arithmetic_v<T>
      // NOLINTNEXTLINE(google-explicit-constructor)
      __forceinline__ Narrow(T value) {
    if constexpr (std::is_integral_v<T>)
      bits = narrow<F>(sticky(value));
    else
      bits = narrow<F>(static_cast<double>(value));
  }
  template <class G>
  __forceinline__ explicit Narrow(Narrow<G> other) : Narrow(static_cast<float>(other)) {}
  __forceinline__ Narrow(Raw raw) : bits(raw.x) {}         // NOLINT(google-explicit-constructor)
  __forceinline__ operator Raw() const { return {bits}; }  // NOLINT(google-explicit-constructor)
  __forceinline__ operator float() const {
    return widen<F>(bits);
  }  // NOLINT(google-explicit-constructor)

  static __forceinline__ Narrow from_bits(uint16_t bits) { return Narrow(Raw{bits}); }
  // Sums, products and quotients of two such numbers are rounded to 53 bits first: with more than
  // twice the bits that remain, that changes nothing.
  double wide() const { return static_cast<double>(widen<F>(bits)); }
  bool is_nan() const { return (bits & 0x7fff) > kInfinity<F>; }
  Narrow operator+() const { return *this; }
  Narrow operator-() const { return from_bits(bits ^ 0x8000); }
  friend Narrow operator+(Narrow a, Narrow b) { return a.wide() + b.wide(); }
  friend Narrow operator-(Narrow a, Narrow b) { return a.wide() - b.wide(); }
  friend Narrow operator*(Narrow a, Narrow b) { return a.wide() * b.wide(); }
  friend Narrow operator/(Narrow a, Narrow b) { return a.wide() / b.wide(); }
  friend bool operator==(Narrow a, Narrow b) { return a.wide() == b.wide(); }
  friend bool operator!=(Narrow a, Narrow b) { return a.wide() != b.wide(); }
  friend bool operator<(Narrow a, Narrow b) { return a.wide() < b.wide(); }
  friend bool operator>(Narrow a, Narrow b) { return a.wide() > b.wide(); }
  friend bool operator<=(Narrow a, Narrow b) { return a.wide() <= b.wide(); }
  friend bool operator>=(Narrow a, Narrow b) { return a.wide() >= b.wide(); }
  // In place: inlined, so that the observer sees the kernel's line.
  friend __forceinline__ Narrow& operator+=(Narrow& a, Narrow b) { return a = a + b; }
  friend __forceinline__ Narrow& operator-=(Narrow& a, Narrow b) { return a = a - b; }
  friend __forceinline__ Narrow& operator*=(Narrow& a, Narrow b) { return a = a * b; }
  friend __forceinline__ Narrow& operator/=(Narrow& a, Narrow b) { return a = a / b; }
  friend __forceinline__ Narrow& operator++(Narrow& a) { return a = a + Narrow(1); }
  friend __forceinline__ Narrow& operator--(Narrow& a) { return a = a - Narrow(1); }
  friend __forceinline__ Narrow operator++(Narrow& a, int) {
    const Narrow was = a;
    a = was + Narrow(1);
    return was;
  }
  friend __forceinline__ Narrow operator--(Narrow& a, int) {
    const Narrow was = a;
    a = was - Narrow(1);
    return was;
  }
};

// For parameters that follow the type of another one.
template <class F>
using SameNarrow = std::type_identity_t<Narrow<F>>;

// Two of them in 4 bytes, x in the lower half.
template <class F>
struct alignas(4) NarrowPair {
  using Half = Narrow<F>;
  Half x, y;

  NarrowPair() = default;
  __forceinline__ NarrowPair(Half a, Half b) : x(a), y(b) {}
  NarrowPair operator+() const { return *this; }
  NarrowPair operator-() const { return {-x, -y}; }
  friend NarrowPair operator+(NarrowPair a, NarrowPair b) { return {a.x + b.x, a.y + b.y}; }
  friend NarrowPair operator-(NarrowPair a, NarrowPair b) { return {a.x - b.x, a.y - b.y}; }
  friend NarrowPair operator*(NarrowPair a, NarrowPair b) { return {a.x * b.x, a.y * b.y}; }
  friend NarrowPair operator/(NarrowPair a, NarrowPair b) { return {a.x / b.x, a.y / b.y}; }
  friend bool operator==(NarrowPair a, NarrowPair b) { return a.x == b.x && a.y == b.y; }
  friend bool operator!=(NarrowPair a, NarrowPair b) { return a.x != b.x && a.y != b.y; }
  friend bool operator<(NarrowPair a, NarrowPair b) { return a.x < b.x && a.y < b.y; }
  friend bool operator>(NarrowPair a, NarrowPair b) { return a.x > b.x && a.y > b.y; }
  friend bool operator<=(NarrowPair a, NarrowPair b) { return a.x <= b.x && a.y <= b.y; }
  friend bool operator>=(NarrowPair a, NarrowPair b) { return a.x >= b.x && a.y >= b.y; }
  friend __forceinline__ NarrowPair& operator+=(NarrowPair& a, NarrowPair b) { return a = a + b; }
  friend __forceinline__ NarrowPair& operator-=(NarrowPair& a, NarrowPair b) { return a = a - b; }
  friend __forceinline__ NarrowPair& operator*=(NarrowPair& a, NarrowPair b) { return a = a * b; }
  friend __forceinline__ NarrowPair& operator/=(NarrowPair& a, NarrowPair b) { return a = a / b; }
};

// The halves of a pair are added one by one on the device, both at once here.
template <class F>
inline constexpr bool kHasAtomicAdd<Narrow<F>> = true;
template <class F>
inline constexpr bool kHasAtomicAdd<NarrowPair<F>> = true;

}  // namespace emu
