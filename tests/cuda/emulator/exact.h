// Numbers of 16 bits as exact fractions, worked out by integers: a reference for rounding that has
// nothing in common with what it judges.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <utility>

namespace lk::test {

// m 2^e.
struct Exact {
  __extension__ using Integer = __int128;
  Integer m;
  int e;
};
inline Exact::Integer magnitude_of(Exact::Integer m) { return m < 0 ? -m : m; }
// Both with the lesser exponent; false where that takes more bits than there are.
inline bool align(Exact& a, Exact& b) {
  if (a.e < b.e) return align(b, a);
  for (; a.e > b.e; --a.e) {
    if (magnitude_of(a.m) >> 123 != 0) return false;
    if (a.m == 0) a.e = b.e + 1;
    a.m *= 2;
  }
  return true;
}
inline Exact product(Exact a, Exact b) { return {a.m * b.m, a.e + b.e}; }
// False where it does not fit.
inline bool sum(Exact a, Exact b, Exact& c) {
  if (!align(a, b)) return false;
  c = {a.m + b.m, a.e};
  return true;
}

// A format: its bits of fraction and the exponent of its least normal number.
struct Format {
  int fraction, least;
  unsigned infinity() const { return 0x7fffu >> fraction << fraction; }
};
inline constexpr Format kHalf{10, -14}, kBf16{7, -126};

// Of a magnitude's bits; infinity is what would come after the largest number.
inline Exact value_of(Format f, unsigned magnitude) {
  const int exponent = static_cast<int>(magnitude >> f.fraction);
  const int m = static_cast<int>(magnitude) & ((1 << f.fraction) - 1);
  if (exponent == 0) return {m, f.least - f.fraction};
  return {m + (1 << f.fraction), f.least - f.fraction + exponent - 1};
}
// A finite number, by its bits.
inline Exact signed_value_of(Format f, unsigned bits) {
  Exact x = value_of(f, bits & 0x7fffu);
  if (bits >> 15 != 0) x.m = -x.m;
  return x;
}

enum class Judgement { right, wrong, too_wide };

// Whether `bits` is numerator / denominator, rounded to nearest even. Of zero, any sign is right.
inline Judgement judge(Format f, unsigned bits, Exact numerator, Exact denominator) {
  const unsigned magnitude = bits & 0x7fffu;
  if (magnitude > f.infinity()) return Judgement::wrong;
  const bool negative = (numerator.m < 0) != (denominator.m < 0);
  if (numerator.m != 0 && negative != (bits >> 15 != 0)) return Judgement::wrong;
  numerator.m = magnitude_of(numerator.m);
  denominator.m = magnitude_of(denominator.m);
  const auto distance = [&](unsigned candidate, Exact& d) {
    Exact times = product(value_of(f, candidate), denominator), n = numerator;
    if (!align(times, n)) return false;
    d = {magnitude_of(times.m - n.m), n.e};
    return true;
  };
  Exact own;
  if (!distance(magnitude, own)) return Judgement::too_wide;
  for (const int step : {-1, 1}) {
    if (step < 0 ? magnitude == 0 : magnitude == f.infinity()) continue;
    Exact other, mine = own;
    if (!distance(magnitude + static_cast<unsigned>(step), other) || !align(mine, other))
      return Judgement::too_wide;
    if (other.m < mine.m || (other.m == mine.m && magnitude % 2 == 1)) return Judgement::wrong;
  }
  return Judgement::right;
}
inline Judgement judge(Format f, unsigned bits, Exact value) {
  return judge(f, bits, value, Exact{1, 0});
}

}  // namespace lk::test
