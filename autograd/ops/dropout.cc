// Dropout (Srivastava et al. 2014). The mask is not kept: it is drawn again from its counter.
#include "engine/kernels/dropout.h"

#include "autograd/ops.h"
#include "engine/device.h"
#include "engine/rng.h"

namespace lk {

Var dropout(const Var& x, float p) {
  require(p >= 0.0f && p < 1.0f, "dropout: the probability is {}; expected 0 <= p < 1", p);
  if (p == 0.0f) return x;
  const uint64_t seed = dropout_state().seed, stream = dropout_state().next_stream++;
  const auto drop = [p, seed, stream](const Tensor& in) {
    Tensor out = Tensor::like(in);
    on_float("dropout", in, [&](auto isa, auto type) {
      using T = decltype(type);
      dropout_forward(isa, out.data<T>(), in.data<T>(), in.numel(), p, seed, stream);
    });
    return out;
  };
  return record("dropout", drop(x.value()), {x},
                [drop](const Tensor& dy, const Need&) { return std::vector<Tensor>{drop(dy)}; });
}

}  // namespace lk
