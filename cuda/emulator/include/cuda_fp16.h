// IEEE half precision as kernels name it: types and conversions. What both formats have in common
// is in the headers included.
#pragma once

#include "narrow_arithmetic.h"
#include "narrow_compare.h"
#include "narrow_math.h"
#include "vector_types.h"

using __half = emu::Narrow<emu::HalfFormat>;
using __half2 = emu::NarrowPair<emu::HalfFormat>;
using __half_raw = __half::Raw;
using half = __half;
using half2 = __half2;

// From and to float and double.
inline __half __float2half(float a) { return a; }
inline __half __double2half(double a) { return a; }
inline __half __float2half_rn(float a) {
  return __half::from_bits(emu::narrow<emu::HalfFormat>(a, emu::Rounding::nearest));
}
inline __half __float2half_rz(float a) {
  return __half::from_bits(emu::narrow<emu::HalfFormat>(a, emu::Rounding::zero));
}
inline __half __float2half_ru(float a) {
  return __half::from_bits(emu::narrow<emu::HalfFormat>(a, emu::Rounding::up));
}
inline __half __float2half_rd(float a) {
  return __half::from_bits(emu::narrow<emu::HalfFormat>(a, emu::Rounding::down));
}
inline float __half2float(__half a) { return a; }

// From and to integers; beyond their range the nearest that there is, 0 of NaN.
inline __half __int2half_rn(int a) { return a; }
inline int __half2int_rn(__half a) { return emu::to_integer<int>(a, emu::Rounding::nearest); }
inline int __half2int_rz(__half a) { return emu::to_integer<int>(a, emu::Rounding::zero); }
inline int __half2int_ru(__half a) { return emu::to_integer<int>(a, emu::Rounding::up); }
inline int __half2int_rd(__half a) { return emu::to_integer<int>(a, emu::Rounding::down); }
inline __half __uint2half_rn(unsigned a) { return a; }
inline unsigned __half2uint_rn(__half a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::nearest);
}
inline unsigned __half2uint_rz(__half a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::zero);
}
inline unsigned __half2uint_ru(__half a) { return emu::to_integer<unsigned>(a, emu::Rounding::up); }
inline unsigned __half2uint_rd(__half a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::down);
}
inline __half __short2half_rn(short a) { return a; }
inline short __half2short_rn(__half a) { return emu::to_integer<short>(a, emu::Rounding::nearest); }
inline short __half2short_rz(__half a) { return emu::to_integer<short>(a, emu::Rounding::zero); }
inline short __half2short_ru(__half a) { return emu::to_integer<short>(a, emu::Rounding::up); }
inline short __half2short_rd(__half a) { return emu::to_integer<short>(a, emu::Rounding::down); }
inline __half __ushort2half_rn(unsigned short a) { return a; }
inline unsigned short __half2ushort_rn(__half a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::nearest);
}
inline unsigned short __half2ushort_rz(__half a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::zero);
}
inline unsigned short __half2ushort_ru(__half a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::up);
}
inline unsigned short __half2ushort_rd(__half a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::down);
}
inline __half __ll2half_rn(long long a) { return a; }
inline long long __half2ll_rn(__half a) {
  return emu::to_integer<long long>(a, emu::Rounding::nearest);
}
inline long long __half2ll_rz(__half a) {
  return emu::to_integer<long long>(a, emu::Rounding::zero);
}
inline long long __half2ll_ru(__half a) { return emu::to_integer<long long>(a, emu::Rounding::up); }
inline long long __half2ll_rd(__half a) {
  return emu::to_integer<long long>(a, emu::Rounding::down);
}
inline __half __ull2half_rn(unsigned long long a) { return a; }
inline unsigned long long __half2ull_rn(__half a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::nearest);
}
inline unsigned long long __half2ull_rz(__half a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::zero);
}
inline unsigned long long __half2ull_ru(__half a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::up);
}
inline unsigned long long __half2ull_rd(__half a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::down);
}

// Bits.
inline unsigned short __half_as_ushort(__half a) { return a.bits; }
inline short __half_as_short(__half a) { return static_cast<short>(a.bits); }
inline __half __ushort_as_half(unsigned short a) { return __half::from_bits(a); }
inline __half __short_as_half(short a) { return __half::from_bits(static_cast<uint16_t>(a)); }

// Pairs: made of two, the first in x, the lower half; taken apart; turned round.
inline __half2 __halves2half2(__half a, __half b) { return {a, b}; }
inline __half2 make_half2(__half a, __half b) { return {a, b}; }
inline __half2 __half2half2(__half a) { return {a, a}; }
inline __half2 __float2half2_rn(float a) { return {a, a}; }
inline __half2 __floats2half2_rn(float a, float b) { return {a, b}; }
inline __half2 __float22half2_rn(float2 a) { return {a.x, a.y}; }
inline float2 __half22float2(__half2 a) { return {a.x, a.y}; }
inline __half __low2half(__half2 a) { return a.x; }
inline __half __high2half(__half2 a) { return a.y; }
inline float __low2float(__half2 a) { return a.x; }
inline float __high2float(__half2 a) { return a.y; }
inline __half2 __low2half2(__half2 a) { return {a.x, a.x}; }
inline __half2 __high2half2(__half2 a) { return {a.y, a.y}; }
inline __half2 __lows2half2(__half2 a, __half2 b) { return {a.x, b.x}; }
inline __half2 __highs2half2(__half2 a, __half2 b) { return {a.y, b.y}; }
inline __half2 __lowhigh2highlow(__half2 a) { return {a.y, a.x}; }
