// Rotary embedding; its backward pass turns the other way.
#include "engine/kernels/rotary.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {
namespace {

// Tokens first .. first + x.dim(0) of the table.
void turn(const Tensor& y, const Tensor& x, const RotaryTable& table, int64_t first, bool inverse) {
  const int64_t rows = x.dim(0), half = table.cos.dim(1), d = 2 * half, heads = x.dim(-1) / d;
  require(first + rows <= table.cos.dim(0) && heads * d == x.dim(-1) && y.shape() == x.shape() &&
              table.cos.dtype() == acc_dtype(x.dtype()),
          "rotary: x {} {}, from {} on, angles {} {}", name_of(x.dtype()), x.shape(), first,
          name_of(table.cos.dtype()), table.cos.shape());
  on_float("rotary", x, [&](auto isa, auto type) {
    using T = decltype(type);
    using A = acc_t<T>;
    rotary_forward(isa, y.data<T>(), x.data<T>(), table.cos.data<A>() + first * half,
                   table.sin.data<A>() + first * half, rows, heads, d, inverse);
  });
}

}  // namespace

RotaryTable make_rotary_table(std::span<const int32_t> positions, std::span<const float> inv_freq,
                              float attention_factor, DType dtype, Device device) {
  const auto rows = static_cast<int64_t>(positions.size()),
             half = static_cast<int64_t>(inv_freq.size());
  const Tensor cos = Tensor::empty({rows, half}, acc_dtype(dtype), device), sin = Tensor::like(cos);
  const Tensor at = numbers_on(device, positions),
               frequencies = Tensor::from(inv_freq, {half}).to(device);
  on_float("rotary", cos, [&](auto isa, auto type) {
    using A = decltype(type);
    if constexpr (!std::is_same_v<A, bf16>)
      rotary_table(isa, cos.data<A>(), sin.data<A>(), at.data<int32_t>(), frequencies.data<float>(),
                   rows, half, attention_factor);
  });
  return {cos, sin};
}

Var rotary(const Var& x, const RotaryTable& table) {
  require(x.dim(0) == table.cos.dim(0), "rotary: x {}, angles {}", x.shape(), table.cos.shape());
  const Tensor y = Tensor::like(x.value());
  turn(y, x.value(), table, 0, false);
  return record("rotary", y, {x}, [table](const Tensor& dy, const Need&) {
    const Tensor dx = Tensor::like(dy);
    turn(dx, dy, table, 0, true);
    return std::vector<Tensor>{dx};
  });
}

void rotary_into(const Tensor& y, const Tensor& x, const RotaryTable& table, int64_t first) {
  turn(y, x, table, first, false);
}

}  // namespace lk
