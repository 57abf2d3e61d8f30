// Element types. f32 and bf16 compute, f64 is for references and gradient checks, f16 is storage
// only.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "engine/error.h"

namespace lk {

enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i8, u8 };

// bfloat16: the upper half of a float. Conversion rounds to nearest even and keeps NaN.
struct bf16 {
  uint16_t bits = 0;
  constexpr bf16() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): arithmetic type
  constexpr bf16(float value) : bits(round(value)) {}
  constexpr operator float() const {  // NOLINT(google-explicit-constructor)
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  static constexpr uint16_t round(float value) {
    const auto u = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    // A NaN must not round up to infinity: set the quiet bit instead. Written without a branch so
    // that loops over it vectorise.
    return static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded);
  }
};

// IEEE half precision, for reading and writing files.
struct f16 {
  uint16_t bits = 0;
  f16() = default;
  explicit f16(float value);
  operator float() const;  // NOLINT(google-explicit-constructor)
};

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

// The type in which sums over T are taken, and in which kernels take parameters (gains, biases).
template <class T>
struct AccumulatorOf {
  using type = float;
};
template <>
struct AccumulatorOf<double> {
  using type = double;
};
template <class T>
using acc_t = typename AccumulatorOf<T>::type;

int64_t size_of(DType dtype);                    // bytes per element
std::string_view name_of(DType dtype);           // "f32"
std::string_view safetensors_name(DType dtype);  // "F32"
DType dtype_from_name(std::string_view name);    // either spelling; Error when unknown
bool is_float(DType dtype);

// Calls f(T{}) with the C++ type of a computing dtype; Error for any other.
template <class F>
decltype(auto) visit_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f(double{});
    case DType::f32:
      return f(float{});
    case DType::bf16:
      return f(bf16{});
    default:
      fail("this operation computes in f32, bf16 or f64, not in {}", name_of(dtype));
  }
}

}  // namespace lk
