// Rotary embedding; its backward pass turns the other way.
#include "engine/kernels/rotary.h"

#include <cmath>

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
  Tensor cos = Tensor::empty({rows, half}, acc), sin = Tensor::empty({rows, half}, acc);
  visit_float(acc, [&](auto type) {
    using A = decltype(type);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < half; ++j) {
        // Positions and frequencies are f32 in the models' own code: so is the angle.
        const float angle = static_cast<float>(positions[static_cast<size_t>(i)]) *
                            inv_freq[static_cast<size_t>(j)];
        cos.data<A>()[i * half + j] = A(std::cos(angle) * attention_factor);
        sin.data<A>()[i * half + j] = A(std::sin(angle) * attention_factor);
      }
  });
  const auto turn = [cos, sin, rows, heads, head_dim](const Tensor& in, bool inverse) {
    Tensor out = Tensor::empty(in.shape(), in.dtype());
    on_float(in.dtype(), [&](auto isa, auto type) {
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
