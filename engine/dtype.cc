#include "engine/dtype.h"

#include <array>

namespace lk {
namespace {

struct Row {
  DType dtype;
  int64_t size;
  std::string_view name, safetensors;
};
constexpr std::array<Row, 8> kTable{{{DType::f64, 8, "f64", "F64"},
                                     {DType::f32, 4, "f32", "F32"},
                                     {DType::bf16, 2, "bf16", "BF16"},
                                     {DType::f16, 2, "f16", "F16"},
                                     {DType::i64, 8, "i64", "I64"},
                                     {DType::i32, 4, "i32", "I32"},
                                     {DType::i8, 1, "i8", "I8"},
                                     {DType::u8, 1, "u8", "U8"}}};

const Row& row(DType dtype) { return kTable[static_cast<size_t>(dtype)]; }

}  // namespace

int64_t size_of(DType dtype) { return row(dtype).size; }
std::string_view name_of(DType dtype) { return row(dtype).name; }
std::string_view safetensors_name(DType dtype) { return row(dtype).safetensors; }
bool is_float(DType dtype) { return dtype <= DType::f16; }

DType dtype_from_name(std::string_view name) {
  for (const Row& r : kTable)
    if (name == r.name || name == r.safetensors) return r.dtype;
  fail("unknown dtype '{}' (known: f64 f32 bf16 f16 i64 i32 i8 u8)", name);
}

f16::f16(float value) {
  const auto u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000u, magnitude = u & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;  // NaN
  } else if (magnitude >= 0x477ff000u) {
    half = 0x7c00u;  // rounds to infinity
  } else if (magnitude < 0x38800000u) {
    // Subnormal: let float addition round at the right place (0.5 has the exponent that aligns it).
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    half = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  }
  bits = static_cast<uint16_t>(sign | half);
}

f16::operator float() const {
  const uint32_t sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u,
                 mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float tiny = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -tiny : tiny;
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

}  // namespace lk
