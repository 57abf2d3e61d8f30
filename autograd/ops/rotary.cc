// Rotary embedding; its backward pass turns the other way.
#include "engine/kernels/rotary.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"

namespace lk {

Var rotary(const Var& x, std::span<const int32_t> positions, std::span<const float> inv_freq,
           int64_t head_dim, float attention_factor) {
  const int64_t rows = x.dim(0), half = head_dim / 2, heads = x.dim(-1) / head_dim;
  require(static_cast<int64_t>(positions.size()) == rows &&
              static_cast<int64_t>(inv_freq.size()) == half && heads * head_dim == x.dim(-1),
          "rotary: x {}, {} positions, {} frequencies, head_dim {}", x.shape(), positions.size(),
          inv_freq.size(), head_dim);
  const DType acc = acc_dtype(x.dtype());
  const Device device = x.value().device();
  const Tensor cos = Tensor::empty({rows, half}, acc, device), sin = Tensor::like(cos);
  const Tensor at = numbers_on(device, positions),
               frequencies = Tensor::from(inv_freq, {half}).to(device);
  on_float("rotary", cos, [&](auto isa, auto type) {
    using A = decltype(type);
    if constexpr (!std::is_same_v<A, bf16>)
      rotary_table(isa, cos.data<A>(), sin.data<A>(), at.data<int32_t>(), frequencies.data<float>(),
                   rows, half, attention_factor);
  });
  const auto turn = [cos, sin, rows, heads, head_dim](const Tensor& in, bool inverse) {
    Tensor out = Tensor::like(in);
    on_float("rotary", in, [&](auto isa, auto type) {
      using T = decltype(type);
      rotary_forward(isa, out.data<T>(), in.data<T>(), cos.data<acc_t<T>>(), sin.data<acc_t<T>>(),
                     rows, heads, head_dim, inverse);
    });
    return out;
  };
  return record("rotary", turn(x.value(), false), {x}, [turn](const Tensor& dy, const Need&) {
    return std::vector<Tensor>{turn(dy, true)};
  });
}

}  // namespace lk
