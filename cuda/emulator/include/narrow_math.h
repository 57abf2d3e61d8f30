// Functions of one 16-bit number or pair by CUDA's names. In double, then rounded: closer than the
// device, some of whose functions are approximations.
#pragma once

#include "narrow_arithmetic.h"

template <class F>
emu::Narrow<F> hsqrt(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::sqrt(x); });
}
template <class F>
emu::NarrowPair<F> h2sqrt(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hsqrt(x); });
}
template <class F>
emu::Narrow<F> hrsqrt(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return 1 / std::sqrt(x); });
}
template <class F>
emu::NarrowPair<F> h2rsqrt(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hrsqrt(x); });
}
template <class F>
emu::Narrow<F> hrcp(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return 1 / x; });
}
template <class F>
emu::NarrowPair<F> h2rcp(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hrcp(x); });
}
template <class F>
emu::Narrow<F> hexp(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::exp(x); });
}
template <class F>
emu::NarrowPair<F> h2exp(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hexp(x); });
}
template <class F>
emu::Narrow<F> hexp2(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::exp2(x); });
}
template <class F>
emu::NarrowPair<F> h2exp2(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hexp2(x); });
}
template <class F>
emu::Narrow<F> hexp10(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::pow(10.0, x); });
}
template <class F>
emu::NarrowPair<F> h2exp10(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hexp10(x); });
}
template <class F>
emu::Narrow<F> hlog(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::log(x); });
}
template <class F>
emu::NarrowPair<F> h2log(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hlog(x); });
}
template <class F>
emu::Narrow<F> hlog2(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::log2(x); });
}
template <class F>
emu::NarrowPair<F> h2log2(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hlog2(x); });
}
template <class F>
emu::Narrow<F> hlog10(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::log10(x); });
}
template <class F>
emu::NarrowPair<F> h2log10(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hlog10(x); });
}
template <class F>
emu::Narrow<F> hsin(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::sin(x); });
}
template <class F>
emu::NarrowPair<F> h2sin(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hsin(x); });
}
template <class F>
emu::Narrow<F> hcos(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::cos(x); });
}
template <class F>
emu::NarrowPair<F> h2cos(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hcos(x); });
}
template <class F>
emu::Narrow<F> htanh(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::tanh(x); });
}
template <class F>
emu::NarrowPair<F> h2tanh(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return htanh(x); });
}
template <class F>
emu::Narrow<F> hfloor(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::floor(x); });
}
template <class F>
emu::NarrowPair<F> h2floor(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hfloor(x); });
}
template <class F>
emu::Narrow<F> hceil(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::ceil(x); });
}
template <class F>
emu::NarrowPair<F> h2ceil(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hceil(x); });
}
template <class F>
emu::Narrow<F> hrint(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::nearbyint(x); });
}
template <class F>
emu::NarrowPair<F> h2rint(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return hrint(x); });
}
template <class F>
emu::Narrow<F> htrunc(emu::Narrow<F> a) {
  return emu::map(a, [](double x) { return std::trunc(x); });
}
template <class F>
emu::NarrowPair<F> h2trunc(emu::NarrowPair<F> a) {
  return emu::each(a, [](auto x) { return htrunc(x); });
}
