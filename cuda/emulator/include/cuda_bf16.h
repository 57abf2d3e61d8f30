// bfloat16 as kernels name it: types and conversions. What both formats have in common is in
// the headers included.
#pragma once

#include "narrow_arithmetic.h"
#include "narrow_compare.h"
#include "narrow_math.h"
#include "vector_types.h"

using __nv_bfloat16 = emu::Narrow<emu::Bf16Format>;
using __nv_bfloat162 = emu::NarrowPair<emu::Bf16Format>;
using __nv_bfloat16_raw = __nv_bfloat16::Raw;
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;

// From and to float and double.
inline __nv_bfloat16 __float2bfloat16(float a) { return a; }
inline __nv_bfloat16 __double2bfloat16(double a) { return a; }
inline __nv_bfloat16 __float2bfloat16_rn(float a) {
  return __nv_bfloat16::from_bits(emu::narrow<emu::Bf16Format>(a, emu::Rounding::nearest));
}
inline __nv_bfloat16 __float2bfloat16_rz(float a) {
  return __nv_bfloat16::from_bits(emu::narrow<emu::Bf16Format>(a, emu::Rounding::zero));
}
inline __nv_bfloat16 __float2bfloat16_ru(float a) {
  return __nv_bfloat16::from_bits(emu::narrow<emu::Bf16Format>(a, emu::Rounding::up));
}
inline __nv_bfloat16 __float2bfloat16_rd(float a) {
  return __nv_bfloat16::from_bits(emu::narrow<emu::Bf16Format>(a, emu::Rounding::down));
}
inline float __bfloat162float(__nv_bfloat16 a) { return a; }

// From and to integers; beyond their range the nearest that there is, 0 of NaN.
inline __nv_bfloat16 __int2bfloat16_rn(int a) { return a; }
inline int __bfloat162int_rn(__nv_bfloat16 a) {
  return emu::to_integer<int>(a, emu::Rounding::nearest);
}
inline int __bfloat162int_rz(__nv_bfloat16 a) {
  return emu::to_integer<int>(a, emu::Rounding::zero);
}
inline int __bfloat162int_ru(__nv_bfloat16 a) { return emu::to_integer<int>(a, emu::Rounding::up); }
inline int __bfloat162int_rd(__nv_bfloat16 a) {
  return emu::to_integer<int>(a, emu::Rounding::down);
}
inline __nv_bfloat16 __uint2bfloat16_rn(unsigned a) { return a; }
inline unsigned __bfloat162uint_rn(__nv_bfloat16 a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::nearest);
}
inline unsigned __bfloat162uint_rz(__nv_bfloat16 a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::zero);
}
inline unsigned __bfloat162uint_ru(__nv_bfloat16 a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::up);
}
inline unsigned __bfloat162uint_rd(__nv_bfloat16 a) {
  return emu::to_integer<unsigned>(a, emu::Rounding::down);
}
inline __nv_bfloat16 __short2bfloat16_rn(short a) { return a; }
inline short __bfloat162short_rn(__nv_bfloat16 a) {
  return emu::to_integer<short>(a, emu::Rounding::nearest);
}
inline short __bfloat162short_rz(__nv_bfloat16 a) {
  return emu::to_integer<short>(a, emu::Rounding::zero);
}
inline short __bfloat162short_ru(__nv_bfloat16 a) {
  return emu::to_integer<short>(a, emu::Rounding::up);
}
inline short __bfloat162short_rd(__nv_bfloat16 a) {
  return emu::to_integer<short>(a, emu::Rounding::down);
}
inline __nv_bfloat16 __ushort2bfloat16_rn(unsigned short a) { return a; }
inline unsigned short __bfloat162ushort_rn(__nv_bfloat16 a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::nearest);
}
inline unsigned short __bfloat162ushort_rz(__nv_bfloat16 a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::zero);
}
inline unsigned short __bfloat162ushort_ru(__nv_bfloat16 a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::up);
}
inline unsigned short __bfloat162ushort_rd(__nv_bfloat16 a) {
  return emu::to_integer<unsigned short>(a, emu::Rounding::down);
}
inline __nv_bfloat16 __ll2bfloat16_rn(long long a) { return a; }
inline long long __bfloat162ll_rn(__nv_bfloat16 a) {
  return emu::to_integer<long long>(a, emu::Rounding::nearest);
}
inline long long __bfloat162ll_rz(__nv_bfloat16 a) {
  return emu::to_integer<long long>(a, emu::Rounding::zero);
}
inline long long __bfloat162ll_ru(__nv_bfloat16 a) {
  return emu::to_integer<long long>(a, emu::Rounding::up);
}
inline long long __bfloat162ll_rd(__nv_bfloat16 a) {
  return emu::to_integer<long long>(a, emu::Rounding::down);
}
inline __nv_bfloat16 __ull2bfloat16_rn(unsigned long long a) { return a; }
inline unsigned long long __bfloat162ull_rn(__nv_bfloat16 a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::nearest);
}
inline unsigned long long __bfloat162ull_rz(__nv_bfloat16 a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::zero);
}
inline unsigned long long __bfloat162ull_ru(__nv_bfloat16 a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::up);
}
inline unsigned long long __bfloat162ull_rd(__nv_bfloat16 a) {
  return emu::to_integer<unsigned long long>(a, emu::Rounding::down);
}

// Bits.
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 a) { return a.bits; }
inline short __bfloat16_as_short(__nv_bfloat16 a) { return static_cast<short>(a.bits); }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short a) { return __nv_bfloat16::from_bits(a); }
inline __nv_bfloat16 __short_as_bfloat16(short a) {
  return __nv_bfloat16::from_bits(static_cast<uint16_t>(a));
}

// Pairs: made of two, the first in x, the lower half; taken apart; turned round.
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return {a, b}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) { return {a, a}; }
inline __nv_bfloat162 __float2bfloat162_rn(float a) { return {a, a}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return {a, b}; }
inline __nv_bfloat162 __float22bfloat162_rn(float2 a) { return {a.x, a.y}; }
inline float2 __bfloat1622float2(__nv_bfloat162 a) { return {a.x, a.y}; }
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 a) { return a.x; }
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 a) { return a.y; }
inline float __low2float(__nv_bfloat162 a) { return a.x; }
inline float __high2float(__nv_bfloat162 a) { return a.y; }
inline __nv_bfloat162 __low2bfloat162(__nv_bfloat162 a) { return {a.x, a.x}; }
inline __nv_bfloat162 __high2bfloat162(__nv_bfloat162 a) { return {a.y, a.y}; }
inline __nv_bfloat162 __lows2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.x, b.x}; }
inline __nv_bfloat162 __highs2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return {a.y, b.y}; }
inline __nv_bfloat162 __lowhigh2highlow(__nv_bfloat162 a) { return {a.y, a.x}; }
