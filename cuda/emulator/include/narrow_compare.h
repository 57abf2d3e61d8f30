// Comparisons of 16-bit numbers by CUDA's names: __heq and its kin are false where an operand is
// NaN, those that end in u are true; of a pair, __heq2 gives 1 or 0 for each half, __hbeq2 whether
// both halves hold.
#pragma once

#include <functional>

#include "narrow_float.h"

namespace emu {

template <class F, class Test>
bool holds(Narrow<F> a, Narrow<F> b, bool if_nan, Test test) {
  return a.is_nan() || b.is_nan() ? if_nan : test(a.wide(), b.wide());
}
template <class F, class Test>
NarrowPair<F> each_holds(NarrowPair<F> a, NarrowPair<F> b, bool if_nan, Test test) {
  return {Narrow<F>(holds(a.x, b.x, if_nan, test)), Narrow<F>(holds(a.y, b.y, if_nan, test))};
}
template <class F, class Test>
bool both_hold(NarrowPair<F> a, NarrowPair<F> b, bool if_nan, Test test) {
  return holds(a.x, b.x, if_nan, test) && holds(a.y, b.y, if_nan, test);
}

}  // namespace emu

template <class F>
bool __heq(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::equal_to<>());
}
template <class F>
emu::NarrowPair<F> __heq2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::equal_to<>());
}
template <class F>
bool __hbeq2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::equal_to<>());
}
template <class F>
bool __hequ(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::equal_to<>());
}
template <class F>
emu::NarrowPair<F> __hequ2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::equal_to<>());
}
template <class F>
bool __hbequ2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::equal_to<>());
}
template <class F>
bool __hne(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::not_equal_to<>());
}
template <class F>
emu::NarrowPair<F> __hne2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::not_equal_to<>());
}
template <class F>
bool __hbne2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::not_equal_to<>());
}
template <class F>
bool __hneu(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::not_equal_to<>());
}
template <class F>
emu::NarrowPair<F> __hneu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::not_equal_to<>());
}
template <class F>
bool __hbneu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::not_equal_to<>());
}
template <class F>
bool __hlt(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::less<>());
}
template <class F>
emu::NarrowPair<F> __hlt2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::less<>());
}
template <class F>
bool __hblt2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::less<>());
}
template <class F>
bool __hltu(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::less<>());
}
template <class F>
emu::NarrowPair<F> __hltu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::less<>());
}
template <class F>
bool __hbltu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::less<>());
}
template <class F>
bool __hle(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::less_equal<>());
}
template <class F>
emu::NarrowPair<F> __hle2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::less_equal<>());
}
template <class F>
bool __hble2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::less_equal<>());
}
template <class F>
bool __hleu(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::less_equal<>());
}
template <class F>
emu::NarrowPair<F> __hleu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::less_equal<>());
}
template <class F>
bool __hbleu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::less_equal<>());
}
template <class F>
bool __hgt(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::greater<>());
}
template <class F>
emu::NarrowPair<F> __hgt2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::greater<>());
}
template <class F>
bool __hbgt2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::greater<>());
}
template <class F>
bool __hgtu(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::greater<>());
}
template <class F>
emu::NarrowPair<F> __hgtu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::greater<>());
}
template <class F>
bool __hbgtu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::greater<>());
}
template <class F>
bool __hge(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, false, std::greater_equal<>());
}
template <class F>
emu::NarrowPair<F> __hge2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, false, std::greater_equal<>());
}
template <class F>
bool __hbge2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, false, std::greater_equal<>());
}
template <class F>
bool __hgeu(emu::Narrow<F> a, emu::SameNarrow<F> b) {
  return emu::holds(a, b, true, std::greater_equal<>());
}
template <class F>
emu::NarrowPair<F> __hgeu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::each_holds(a, b, true, std::greater_equal<>());
}
template <class F>
bool __hbgeu2(emu::NarrowPair<F> a, emu::NarrowPair<F> b) {
  return emu::both_hold(a, b, true, std::greater_equal<>());
}
