// softmax(scale q k^T) v over packed documents. Saves q, k, v, the output and each row's log-sum.
#include "engine/kernels/attention.h"

#include "autograd/ops.h"
#include "autograd/ops/helpers.h"
#include "engine/rng.h"

namespace lk {
namespace {

void check(const Var& q, const Var& k, const Var& v, std::span<const int32_t> q_offsets,
           std::span<const int32_t> k_offsets, const AttentionOptions& o) {
  require(o.heads > 0 && o.kv_heads > 0 && o.heads % o.kv_heads == 0 && q.dim(1) % o.heads == 0,
          "attention: {} heads over {} key heads for q {}", o.heads, o.kv_heads, q.shape());
  const int64_t d = q.dim(1) / o.heads;
  require(k.shape() == v.shape() && k.dim(1) == o.kv_heads * d,
          "attention: q {}, k {}, v {} with head_dim {}", q.shape(), k.shape(), v.shape(), d);
  require(q_offsets.size() == k_offsets.size() && q_offsets.size() >= 2 &&
              q_offsets.back() == q.dim(0) && k_offsets.back() == k.dim(0),
          "attention: offsets end at {} and {}, q is {} and k {}",
          q_offsets.empty() ? 0 : q_offsets.back(), k_offsets.empty() ? 0 : k_offsets.back(),
          q.shape(), k.shape());
}

// Calls f(isa, T{}) as on_float does, and with matrix tiles where the CPU has them and the shape
// fits.
template <class F>
void on_attention_kernel(DType dtype, [[maybe_unused]] const AttentionShape& s, F&& f) {
#if LK_X86_KERNELS
  if (dtype == DType::bf16 && isa_level() == IsaLevel::amx && s.head_dim % 32 == 0 &&
      s.dropout == 0)
    return f(Amx{}, bf16{});
#endif
  on_float(dtype, std::forward<F>(f));
}

}  // namespace

Var attention(const Var& q, const Var& k, const Var& v, std::span<const int32_t> q_offsets,
              std::span<const int32_t> k_offsets, const AttentionOptions& o) {
  check(q, k, v, q_offsets, k_offsets, o);
  AttentionShape shape{};
  shape.documents = static_cast<int64_t>(q_offsets.size()) - 1;
  shape.heads = o.heads;
  shape.kv_heads = o.kv_heads;
  shape.head_dim = q.dim(1) / o.heads;
  shape.scale = static_cast<double>(o.scale);
  shape.causal = o.causal;
  shape.window = o.window;
  shape.dropout = o.dropout;
  if (o.dropout > 0) {
    shape.seed = dropout_state().seed;
    shape.stream = dropout_state().next_stream++;
  }
  std::vector<int32_t> q_off(q_offsets.begin(), q_offsets.end()),
      k_off(k_offsets.begin(), k_offsets.end());
  shape.q_offsets = q_off.data();
  shape.k_offsets = k_off.data();
  Tensor out = Tensor::empty(q.shape(), q.dtype()),
         lse = Tensor::empty({q.dim(0), o.heads}, acc_dtype(q.dtype()));
  on_attention_kernel(q.dtype(), shape, [&](auto isa, auto type) {
    using T = decltype(type);
    attention_forward(isa, out.data<T>(), lse.data<acc_t<T>>(), q.value().data<T>(),
                      k.value().data<T>(), v.value().data<T>(), shape);
  });
  if (!will_record({q, k, v})) return out;
  return record("attention", out, {q, k, v},
                [qs = q.value(), ks = k.value(), vs = v.value(), out, lse, shape, q_off, k_off](
                    const Tensor& dy, const Need&) {
                  AttentionShape s = shape;
                  s.q_offsets = q_off.data();
                  s.k_offsets = k_off.data();
                  // The three share their scores: one pass makes all of them.
                  std::vector<Tensor> grads{Tensor::empty(qs.shape(), qs.dtype()),
                                            Tensor::empty(ks.shape(), ks.dtype()),
                                            Tensor::empty(vs.shape(), vs.dtype())};
                  on_attention_kernel(dy.dtype(), s, [&](auto isa, auto type) {
                    using T = decltype(type);
                    attention_backward(isa, grads[0].data<T>(), grads[1].data<T>(),
                                       grads[2].data<T>(), dy.data<T>(), out.data<T>(),
                                       lse.data<acc_t<T>>(), qs.data<T>(), ks.data<T>(),
                                       vs.data<T>(), s);
                  });
                  return grads;
                });
}

}  // namespace lk
