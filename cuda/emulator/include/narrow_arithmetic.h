// Arithmetic and functions of 16-bit numbers by CUDA's names, the same for both formats.
#pragma once

#include <limits>

#include "narrow_float.h"

namespace emu {

template <class F>
Narrow<F> saturate(Narrow<F> a) {  // to [0, 1]; NaN gives 0
  return a.wide() > 0 ? (a.wide() < 1 ? a : Narrow<F>(1)) : Narrow<F>(0);
}
template <class F>
Narrow<F> relu(Narrow<F> a) {
  return a.is_nan() ? Narrow<F>::from_bits(kNan) : a.wide() > 0 ? a : Narrow<F>(0);
}
// The larger one, +0 before -0; of a number and NaN the number, or NaN with `keep_nan`.
template <class F>
Narrow<F> larger(Narrow<F> a, Narrow<F> b, bool keep_nan) {
  if (a.is_nan() || b.is_nan())
    return (a.is_nan() && b.is_nan()) || keep_nan ? Narrow<F>::from_bits(kNan) : a.is_nan() ? b : a;
  if (a.wide() == b.wide()) return Narrow<F>::from_bits(a.bits & b.bits);  // zeros may differ
  return a.wide() > b.wide() ? a : b;
}
template <class F, class Function>
Narrow<F> map(Narrow<F> a, Function f) {
  return Narrow<F>(f(a.wide()));
}
template <class F, class Function>
NarrowPair<F> each(NarrowPair<F> a, Function f) {
  return {f(a.x), f(a.y)};
}
template <class F, class Function>
NarrowPair<F> each(NarrowPair<F> a, NarrowPair<F> b, Function f) {
  return {f(a.x, b.x), f(a.y, b.y)};
}
// A number as an integer, as CUDA converts: held within I's range, 0 where there is none.
template <class I, class F>
I to_integer(Narrow<F> a, Rounding rounding) {
  if (a.is_nan()) return 0;
  const double x = a.wide(), whole = rounding == Rounding::nearest ? std::nearbyint(x)
                                     : rounding == Rounding::zero  ? std::trunc(x)
                                     : rounding == Rounding::up    ? std::ceil(x)
                                                                   : std::floor(x);
  constexpr auto kLeast = std::numeric_limits<I>::min(), kMost = std::numeric_limits<I>::max();
  if (whole <= static_cast<double>(kLeast)) return kLeast;
  return whole >= static_cast<double>(kMost) ? kMost : static_cast<I>(whole);
}

}  // namespace emu

template <class F>
emu::Narrow<F> __hadd(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a + b;
}
template <class F>
emu::Narrow<F> __hadd_rn(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a + b;
}
template <class F>
emu::Narrow<F> __hadd_sat(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::saturate(a + b);
}
template <class F>
emu::Narrow<F> __hsub(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a - b;
}
template <class F>
emu::Narrow<F> __hsub_rn(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a - b;
}
template <class F>
emu::Narrow<F> __hsub_sat(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::saturate(a - b);
}
template <class F>
emu::Narrow<F> __hmul(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a * b;
}
template <class F>
emu::Narrow<F> __hmul_rn(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a * b;
}
template <class F>
emu::Narrow<F> __hmul_sat(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::saturate(a * b);
}
template <class F>
emu::Narrow<F> __hdiv(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return a / b;
}
template <class F>
emu::Narrow<F> __hfma(emu::Narrow<F> a, emu::SameNarrow<F> b, emu::SameNarrow<F> c) {
  return emu::sticky_sum(a.wide() * b.wide(), c.wide());
}
template <class F>
emu::Narrow<F> __hfma_sat(emu::Narrow<F> a, emu::SameNarrow<F> b, emu::SameNarrow<F> c) {
  return emu::saturate(__hfma(a, b, c));
}
template <class F>
emu::Narrow<F> __hfma_relu(emu::Narrow<F> a, emu::SameNarrow<F> b, emu::SameNarrow<F> c) {
  return emu::relu(__hfma(a, b, c));
}
template <class F>
emu::Narrow<F> __hneg(emu::Narrow<F> a) {
  return -a;
}
template <class F>
emu::Narrow<F> __habs(emu::Narrow<F> a) {
  return emu::Narrow<F>::from_bits(a.bits & 0x7fff);
}
template <class F>
bool __hisnan(emu::Narrow<F> a) {
  return a.is_nan();
}
template <class F>
int __hisinf(emu::Narrow<F> a) {  // 1, -1, or 0 for none
  return (a.bits & 0x7fff) != emu::kInfinity<F> ? 0 : a.bits >> 15 != 0 ? -1 : 1;
}
template <class F>
emu::Narrow<F> __hmax(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::larger(a, b, false);
}
template <class F>
emu::Narrow<F> __hmin(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return -emu::larger(-a, -b, false);
}
template <class F>
emu::Narrow<F> __hmax_nan(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::larger(a, b, true);
}
template <class F>
emu::Narrow<F> __hmin_nan(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return -emu::larger(-a, -b, true);
}

// Of pairs, half by half.
template <class F>
emu::NarrowPair<F> __hadd2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hadd(x, y); });
}
template <class F>
emu::NarrowPair<F> __hsub2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hsub(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmul2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmul(x, y); });
}
template <class F>
emu::NarrowPair<F> __hadd2_rn(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hadd_rn(x, y); });
}
template <class F>
emu::NarrowPair<F> __hsub2_rn(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hsub_rn(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmul2_rn(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmul_rn(x, y); });
}
template <class F>
emu::NarrowPair<F> __hadd2_sat(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hadd_sat(x, y); });
}
template <class F>
emu::NarrowPair<F> __hsub2_sat(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hsub_sat(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmul2_sat(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmul_sat(x, y); });
}
template <class F>
emu::NarrowPair<F> __hdiv2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hdiv(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmax2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmax(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmin2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmin(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmax2_nan(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmax_nan(x, y); });
}
template <class F>
emu::NarrowPair<F> __hmin2_nan(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each(a, b, [](auto x, auto y) { return __hmin_nan(x, y); });
}
template <class F>
emu::NarrowPair<F> __hfma2(emu::NarrowPair<F> a, emu::NarrowPair<F> b, emu::NarrowPair<F> c) {
  return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
template <class F>
emu::NarrowPair<F> __hfma2_sat(emu::NarrowPair<F> a, emu::NarrowPair<F> b, emu::NarrowPair<F> c) {
  return {__hfma_sat(a.x, b.x, c.x), __hfma_sat(a.y, b.y, c.y)};
}
template <class F>
emu::NarrowPair<F> __hfma2_relu(emu::NarrowPair<F> a, emu::NarrowPair<F> b, emu::NarrowPair<F> c) {
  return {__hfma_relu(a.x, b.x, c.x), __hfma_relu(a.y, b.y, c.y)};
}
template <class F>
emu::NarrowPair<F> __hneg2(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return __hneg(x); });
}
template <class F>
emu::NarrowPair<F> __habs2(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return __habs(x); });
}
template <class F>
emu::NarrowPair<F> __hisnan2(emu::NarrowPair<F> a) {
  return {emu::Narrow<F>(a.x.is_nan()), emu::Narrow<F>(a.y.is_nan())};
}
