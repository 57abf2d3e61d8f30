// DoRA: Weight-Decomposed Low-Rank Adaptation (Liu et al. 2024, arXiv:2402.09353), eq. 5 and
// section 4.3:
//   W' = m * (W0 + s B A) / ||W0 + s B A||      by output rows; m [out] starts at ||W0||
// The norm counts as a constant in the backward pass. Without a matrix of W's size it is
//   ||w + s b A||^2 = ||w||^2 + 2 s b . (A w) + s^2 b A A^T b^T      w, b: a row of W0 and of B
// so that a step costs one product of A with W0 more. Trained: r (in + out) + out for each layer.
#include "engine/device.h"
#include "engine/gemm.h"
#include "engine/kernels/low_rank_norm.h"
#include "peft/device_copies.h"
#include "peft/lora_part.h"

namespace lk {
namespace {

class DoraPart : public LoraPart {
 public:
  DoraPart(Place& place, const LoraStart& start, double scale, float dropout)
      : LoraPart(place, start, scale, dropout),
        square_norm_(row_squares(place.linear->weight().dense(place.dtype()))),
        m_(place.parameter("lora_magnitude_vector", norm(*place.linear, false))) {}

  // With g = m / ||W0 + s B A||: y = g (W0 x + s B A x) + b, where W0 x + b is the inner result.
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const Var g = mul(m_.var, norm(linear, true));
    Var y = mul_row(sum(x, inner(x)), g);
    if (!linear.has_bias()) return y;
    const Var b = cast(linear.bias().var, g.dtype());
    return add_row(y, add(b, scale(mul(b, g), -1.0f)));
  }
  void visit(const ParameterVisitor& f) override { f(a_), f(b_), f(m_); }

 private:
  static Tensor row_squares(const Tensor& w) {
    Tensor out = Tensor::zeros({w.dim(0)}, DType::f64);
    visit_float(w.dtype(), [&](auto type) {
      using T = decltype(type);
      for (int64_t o = 0; o < w.dim(0); ++o)
        for (int64_t i = 0; i < w.dim(1); ++i) {
          const auto v = static_cast<double>(w.data<T>()[o * w.dim(1) + i]);
          out.data<double>()[o] += v * v;
        }
    });
    return out;
  }
  // ||W0 + s B A|| by rows, or one over it.
  Tensor norm(const Linear& linear, bool inverse) const {
    const NoGrad no_grad;
    const int64_t r = a_.shape[0], out = b_.shape[0];
    const Tensor &a = a_.var.value(), &b = b_.var.value();
    const Tensor wa =  // [r, out]
        linear.weight().apply(cast(a, model_.compute_dtype()), {}).value().to(b.dtype());
    const Tensor aa = Tensor::empty({r, r}, b.dtype(), b.device()), baa = Tensor::like(b),
                 squares = copies_.of(square_norm_, b.device());
    Tensor n = Tensor::empty({out}, b.dtype(), b.device());
    gemm(aa, a, a, {.transpose_b = true});
    gemm(baa, b, aa);
    on_float("DoRA's norm", b, [&](auto isa, auto type) {
      using T = decltype(type);
      if constexpr (!std::is_same_v<T, bf16>)
        low_rank_norm(isa, n.data<T>(), squares.data<double>(), b.data<T>(), wa.data<T>(),
                      baa.data<T>(), out, r, scale_, inverse);
    });
    return n;
  }
  Tensor square_norm_;  // f64 [out], of W0
  DeviceCopies copies_;
  Parameter m_;
};

}  // namespace

std::shared_ptr<LinearAdapter> make_dora_part(Place& place, const LoraStart& start, double scale,
                                              float dropout) {
  return std::make_shared<DoraPart>(place, start, scale, dropout);
}

}  // namespace lk
