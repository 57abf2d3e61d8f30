// cuda_fp16.h and cuda_bf16.h on the host, against exact arithmetic.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/cuda/emulator/exact.h"

namespace lk::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kQuiet = std::numeric_limits<double>::quiet_NaN();

template <class T>
struct FormatOf {
  static constexpr Format value = kHalf;
};
template <>
struct FormatOf<__nv_bfloat16> {
  static constexpr Format value = kBf16;
};
template <class T>
constexpr Format format_of = FormatOf<T>::value;

template <class T>
double double_of(unsigned magnitude) {
  const Exact x = value_of(format_of<T>, magnitude);
  return std::ldexp(static_cast<double>(x.m), x.e);
}

// Numbers at random, all exponents alike; near ones where the formats' range would be too wide for
// exact sums.
template <class T>
unsigned random_bits(std::mt19937& random, int exponents) {
  const Format f = format_of<T>;
  const unsigned infinity = f.infinity(), range = infinity >> f.fraction;
  const unsigned least = range / 2 > static_cast<unsigned>(exponents)
                             ? range / 2 - static_cast<unsigned>(exponents)
                             : 0;
  const unsigned most = std::min(range, range / 2 + static_cast<unsigned>(exponents));
  const unsigned exponent = least + random() % (most - least);
  return exponent << f.fraction | (random() & ((1u << f.fraction) - 1)) | (random() & 1u) << 15;
}

TEST_CASE_TEMPLATE("16 bits: to float, every number", T, __half, __nv_bfloat16) {
  const unsigned infinity = format_of<T>.infinity();
  int wrong = 0;
  for (unsigned bits = 0; bits < infinity; ++bits) {
    wrong += static_cast<double>(static_cast<float>(T::from_bits(bits))) != double_of<T>(bits);
    const auto negative = static_cast<float>(T::from_bits(bits | 0x8000));
    wrong += static_cast<double>(negative) != -double_of<T>(bits) || !std::signbit(negative);
  }
  CHECK(wrong == 0);
  CHECK(static_cast<float>(T::from_bits(infinity)) == kInf);
  CHECK(static_cast<float>(T::from_bits(infinity | 0x8000)) == -kInf);
  for (unsigned bits = infinity + 1; bits < 0x8000; ++bits)
    wrong += !std::isnan(static_cast<float>(T::from_bits(bits)));
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("16 bits: from float, every number, tie and what lies beside", T, __half,
                   __nv_bfloat16) {
  const unsigned infinity = format_of<T>.infinity();
  int wrong = 0;
  const auto check = [&](double value, unsigned want) {
    wrong += T(value).bits != want;
    wrong += T(-value).bits != (want | 0x8000);
    const auto narrower = static_cast<float>(value);
    if (static_cast<double>(narrower) == value) wrong += T(narrower).bits != want;
  };
  for (unsigned bits = 0; bits < infinity; ++bits) {
    const double a = double_of<T>(bits), b = double_of<T>(bits + 1), tie = a + (b - a) / 2;
    check(a, bits);
    check(tie, bits + bits % 2);
    check(std::nextafter(tie, 0.0), bits);
    check(std::nextafter(tie, kInf), bits + 1);
    check(static_cast<double>(std::nextafter(static_cast<float>(tie), 0.0f)), bits);
  }
  CHECK(wrong == 0);
  check(1e300, infinity);
  check(kInf, infinity);
  check(1e-300, 0);
  check(std::numeric_limits<double>::denorm_min(), 0);
  CHECK(wrong == 0);
  CHECK(T(kQuiet).bits == 0x7fff);
  CHECK(T(-kQuiet).bits == 0x7fff);
  CHECK(T(0.0).bits == 0);
  CHECK(T(-0.0f).bits == 0x8000);
}

TEST_CASE("16 bits: the other roundings") {
  int wrong = 0;
  for (unsigned bits = 0; bits < kHalf.infinity(); ++bits) {
    const auto a = static_cast<float>(double_of<__half>(bits)),
               beyond = std::nextafter(a, std::numeric_limits<float>::infinity());
    const unsigned up = bits + 1, minus = 0x8000;
    wrong += __float2half_rz(a).bits != bits || __float2half_ru(a).bits != bits;
    wrong += __float2half_rz(beyond).bits != bits || __float2half_rd(beyond).bits != bits;
    wrong += __float2half_ru(beyond).bits != up;
    wrong += __float2half_rz(-beyond).bits != (bits | minus);
    wrong += __float2half_ru(-beyond).bits != (bits | minus);
    wrong += __float2half_rd(-beyond).bits != (up | minus);
  }
  CHECK(wrong == 0);
  CHECK(__float2half_rz(1e9f).bits == kHalf.infinity() - 1);
  CHECK(__float2half_rd(1e9f).bits == kHalf.infinity() - 1);
  CHECK(__float2half_ru(1e9f).bits == kHalf.infinity());
  CHECK(__float2half_ru(-1e9f).bits == (kHalf.infinity() - 1) + 0x8000);
  CHECK(__float2bfloat16_rz(1.00390625f * 1.5f).bits == __float2bfloat16(1.5f).bits);
  CHECK(__float2bfloat16_ru(1.5001f).bits == 0x3fc1);
  CHECK(__float2bfloat16_rd(-1.5001f).bits == 0xbfc1);
  CHECK(__float2half_ru(1e-30f).bits == 1);
}

TEST_CASE_TEMPLATE("16 bits: sums, products, quotients and fma are rounded once", T, __half,
                   __nv_bfloat16) {
  const Format f = format_of<T>;
  std::mt19937 random(1);
  int judged = 0, wrong = 0;
  const auto note = [&](Judgement j) {
    judged += j != Judgement::too_wide;
    wrong += j == Judgement::wrong;
  };
  for (const int exponents : {3, 12, 200})
    for (int i = 0; i < 100000; ++i) {
      const unsigned bits[3] = {random_bits<T>(random, exponents),
                                random_bits<T>(random, exponents),
                                random_bits<T>(random, exponents)};
      const T a = T::from_bits(bits[0]), b = T::from_bits(bits[1]), c = T::from_bits(bits[2]);
      const Exact x = signed_value_of(f, bits[0]), y = signed_value_of(f, bits[1]),
                  z = signed_value_of(f, bits[2]);
      Exact s;
      if (sum(x, y, s)) note(judge(f, (a + b).bits, s));
      if (sum(x, {-y.m, y.e}, s)) note(judge(f, (a - b).bits, s));
      note(judge(f, (a * b).bits, product(x, y)));
      if (y.m != 0) note(judge(f, (a / b).bits, x, y));
      if (sum(product(x, y), z, s)) note(judge(f, __hfma(a, b, c).bits, s));
    }
  CHECK(wrong == 0);
  CHECK(judged > 1000000);
  // A product that is a tie, which a far smaller addend decides: in bfloat16 it is lost when the
  // sum is rounded to a double in between.
  const T p(1 + std::ldexp(1.0, -f.fraction)), q(1.5), tiny = T::from_bits(1);
  CHECK(__hfma(p, q, T(0)).bits == q.bits + 2);
  CHECK(__hfma(p, q, tiny).bits == q.bits + 2);
  CHECK(__hfma(p, q, -tiny).bits == q.bits + 1);
}

TEST_CASE_TEMPLATE("16 bits: infinities, NaN and zeros", T, __half, __nv_bfloat16) {
  const T inf(kInf), nan(kQuiet), zero(0), minus(-0.0f), one(1), most = T::from_bits(inf.bits - 1);
  CHECK((most + most).bits == inf.bits);
  CHECK((inf - inf).bits == 0x7fff);
  CHECK((zero * inf).bits == 0x7fff);
  CHECK((zero / zero).bits == 0x7fff);
  CHECK((one / minus).bits == (inf.bits | 0x8000));
  CHECK((zero + minus).bits == 0);
  CHECK((minus + minus).bits == 0x8000);
  CHECK((-zero).bits == 0x8000);
  CHECK(__hfma(inf, zero, one).bits == 0x7fff);
  CHECK(__hfma(most, most, -inf).bits == (inf.bits | 0x8000));
  CHECK(zero == minus);
  CHECK(!(nan == nan));
  CHECK(nan != nan);
  CHECK(!(nan < one));
  CHECK(!__heq(nan, one));
  CHECK(!__hne(nan, one));
  CHECK(__hneu(nan, one));
  CHECK(__hltu(nan, one));
  CHECK(!__hgt(one, nan));
  CHECK(__hgt(inf, most));
  CHECK(__hle(one, one));
  CHECK(__hge(-one, -inf));
  CHECK(__hmax(nan, one).bits == one.bits);
  CHECK(__hmax(one, nan).bits == one.bits);
  CHECK(__hmax_nan(one, nan).bits == 0x7fff);
  CHECK(__hmax(nan, nan).bits == 0x7fff);
  CHECK(__hmin(nan, one).bits == one.bits);
  CHECK((__hmin_nan(nan, one).bits & 0x7fff) == 0x7fff);
  CHECK(__hmax(minus, zero).bits == 0);
  CHECK(__hmin(zero, minus).bits == 0x8000);
  CHECK(__hmin(one, -inf).bits == (-inf).bits);
  CHECK(__hisnan(nan));
  CHECK(__hisinf(-inf) == -1);
  CHECK(__hisinf(inf) == 1);
  CHECK(__hisinf(most) == 0);
  CHECK(__habs(-one).bits == one.bits);
  CHECK(__hadd_sat(one, one).bits == one.bits);
  CHECK(__hmul_sat(-one, one).bits == 0);
  CHECK(__hsub_sat(inf, inf).bits == 0);
  CHECK(__hfma_relu(-one, one, zero).bits == 0);
  CHECK(__hfma_relu(nan, one, zero).bits == 0x7fff);
}

TEST_CASE("16 bits: integers") {
  CHECK(__int2half_rn(2049).bits == __half(2048).bits);
  CHECK(__int2half_rn(2051).bits == __half(2052).bits);
  CHECK(__int2half_rn(-70000).bits == (kHalf.infinity() | 0x8000));
  CHECK(__ushort2half_rn(65519).bits == kHalf.infinity() - 1);
  CHECK(__ushort2half_rn(65520).bits == kHalf.infinity());
  CHECK(__half2int_rz(__half(-2.75)) == -2);
  CHECK(__half2int_rn(__half(2.5)) == 2);
  CHECK(__half2int_rd(__half(-2.25)) == -3);
  CHECK(__half2int_ru(__half(2.25)) == 3);
  CHECK(__half2int_rz(__half(kInf)) == std::numeric_limits<int>::max());
  CHECK(__half2int_rz(__half(kQuiet)) == 0);
  CHECK(__half2uint_rz(__half(-3)) == 0);
  CHECK(__half2short_rz(__half(40000)) == 32767);
  // 2^62 + 2^54 is a tie of bf16; one more decides, which a double cannot hold.
  const long long tie = (1LL << 62) + (1LL << 54);
  CHECK(__ll2bfloat16_rn(tie).bits == __nv_bfloat16(std::ldexp(1.0, 62)).bits);
  CHECK(__ll2bfloat16_rn(tie + 1).bits == __nv_bfloat16(std::ldexp(1.0, 62)).bits + 1);
  CHECK(__ll2bfloat16_rn(-tie - 1).bits == __nv_bfloat16(-std::ldexp(1.0, 62)).bits + 1);
  CHECK(__bfloat162ll_rz(__nv_bfloat16(kInf)) == std::numeric_limits<long long>::max());
  CHECK(__bfloat162int_rn(__nv_bfloat16(-3.5)) == -4);
}

// The two formats' names, one after another.
TEST_CASE("16 bits: pairs") {
  const __half2 a = __floats2half2_rn(1.5f, -2.0f), b = __half2half2(__half(0.5));
  CHECK(__low2float(a) == 1.5f);
  CHECK(__high2float(a) == -2.0f);
  CHECK(__half22float2(a + b).y == -1.5f);
  CHECK(__half22float2(__hmul2(a, b)).x == 0.75f);
  CHECK(__half22float2(__hfma2(a, b, a)).y == -3.0f);
  CHECK(__low2half(__lowhigh2highlow(a)).bits == a.y.bits);
  CHECK(__high2half(__lows2half2(a, b)).bits == b.x.bits);
  CHECK(__half22float2(__hgt2(a, b)).x == 1.0f);
  CHECK(__half22float2(__hgt2(a, b)).y == 0.0f);
  CHECK(!__hbgt2(a, b));
  CHECK(__hbeq2(a, a));
  CHECK(a == a);
  CHECK(__half22float2(__hmax2(a, b)).y == 0.5f);
  CHECK(__half22float2(h2exp(__hsub2(a, a))).x == 1.0f);
  CHECK(__half_as_ushort(__ushort_as_half(0x1234)) == 0x1234);
  static_assert(sizeof(__half2) == 4 && alignof(__half2) == 4 && sizeof(__half) == 2);
  const __nv_bfloat162 c = __floats2bfloat162_rn(1.0f, 3.0f),
                       d = __halves2bfloat162(__float2bfloat16_rn(2.0f), __float2bfloat16(4.0f));
  CHECK(__bfloat1622float2(c * d).y == 12.0f);
  CHECK(__bfloat162float(__high2bfloat16(c)) == 3.0f);
  CHECK(__bfloat1622float2(__bfloat162bfloat162(c.y) - c).x == 2.0f);
  CHECK(__bfloat1622float2(__float22bfloat162_rn(make_float2(1.0f, 1.00390625f))).y == 1.0f);
  CHECK(__bfloat16_as_ushort(c.x) == 0x3f80);
}

TEST_CASE_TEMPLATE("16 bits: functions", T, __half, __nv_bfloat16) {
  CHECK(hsqrt(T(2.25)).wide() == 1.5);
  CHECK(hrsqrt(T(0.25)).wide() == 2.0);
  CHECK(hrcp(T(-8)).wide() == -0.125);
  CHECK(hexp(T(0)).wide() == 1.0);
  CHECK(hexp2(T(-3)).wide() == 0.125);
  CHECK(hlog2(T(64)).wide() == 6.0);
  CHECK(hlog(T(1)).wide() == 0.0);
  CHECK(hexp10(T(2)).wide() == 100.0);
  CHECK(htanh(T(kInf)).wide() == 1.0);
  CHECK(hfloor(T(-1.5)).wide() == -2.0);
  CHECK(hceil(T(-1.5)).wide() == -1.0);
  CHECK(hrint(T(2.5)).wide() == 2.0);
  CHECK(htrunc(T(-1.75)).wide() == -1.0);
  CHECK(hsqrt(T(-1)).bits == 0x7fff);
  CHECK(hlog(T(0)).bits == T(-kInf).bits);
}

}  // namespace
}  // namespace lk::test
