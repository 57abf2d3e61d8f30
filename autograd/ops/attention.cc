// softmax(scale q k^T + bias) v over packed documents. Saves q, k, v, the output and each row's
// log-sum.
#include "engine/kernels/attention.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/column_sum.h"
#include "autograd/ops/row_groups.h"
#include "autograd/saved.h"
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
void on_attention_kernel(const Tensor& q, [[maybe_unused]] const AttentionShape& s,
                         [[maybe_unused]] bool biased, F&& f) {
#if LK_X86_KERNELS
  if (!biased && !dry_run() && q.device() == Device::cpu && q.dtype() == DType::bf16 &&
      isa_level() == IsaLevel::amx && s.head_dim % 32 == 0)
    return f(Amx{}, bf16{});
#endif
  on_float("attention", q, std::forward<F>(f));
}

// The bias as the kernels take it: a value for each distance that occurs.
struct Distances {
  int64_t lowest = 0, count = 0;
  std::vector<int32_t> buckets;  // [count]
  std::vector<int32_t> origin;   // [documents]
};

Distances distances_of(const RelativeBias& bias, std::span<const int32_t> q_offsets,
                       std::span<const int32_t> k_offsets, const AttentionOptions& o) {
  require(bias.table.shape().rank() == 2 && bias.table.dim(1) == o.heads &&
              bias.q_start.size() + 1 == q_offsets.size(),
          "attention: a bias {} for {} heads, {} starts for {} documents", bias.table.shape(),
          o.heads, bias.q_start.size(), q_offsets.size() - 1);
  Distances out;
  int64_t highest = 0;
  for (size_t b = 0; b < bias.q_start.size(); ++b) {
    out.lowest =
        std::min<int64_t>(out.lowest, -(bias.q_start[b] + q_offsets[b + 1] - q_offsets[b] - 1));
    highest = std::max<int64_t>(highest, k_offsets[b + 1] - k_offsets[b] - 1 - bias.q_start[b]);
  }
  out.count = highest - out.lowest + 1;
  for (int64_t i = 0; i < out.count; ++i) {
    const int32_t bucket = bias.bucket(out.lowest + i);
    invariant(bucket >= 0 && bucket < bias.table.dim(0), "bucket {} of a bias {}", bucket,
              bias.table.shape());
    out.buckets.push_back(bucket);
  }
  for (const int32_t start : bias.q_start)
    out.origin.push_back(static_cast<int32_t>(-start - out.lowest));
  return out;
}

// [buckets, heads] -> [heads, count], and back by sums over documents and distances.
Tensor spread(const Tensor& table, const Distances& d) {
  return transpose(Var(gathered_rows("attention", table, d.buckets, table.dtype()))).value();
}

// by_distance: [documents, heads, count]
Tensor gathered(const Tensor& by_distance, const Distances& d, const Shape& table) {
  const int64_t heads = table[1];
  const Tensor sums =
      column_sum_of(by_distance.view({by_distance.numel() / (heads * d.count), heads * d.count}),
                    by_distance.dtype());
  return scatter_add(transpose(Var(sums.view({heads, d.count}))).value(), d.buckets, table[0],
                     by_distance.dtype());
}

template <class A>
AttentionBias<A> bias_of(const Distances& d, const Tensor& values, const Tensor& gradient) {
  if (!values.defined()) return {};
  return {values.data<A>(), gradient.defined() ? gradient.data<A>() : nullptr, d.count,
          d.origin.data()};
}

}  // namespace

Var attention(const Var& q, const Var& k, const Var& v, std::span<const int32_t> q_offsets,
              std::span<const int32_t> k_offsets, const AttentionOptions& o,
              const RelativeBias* bias) {
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
  const DType acc = acc_dtype(q.dtype());
  const Distances distances = bias ? distances_of(*bias, q_offsets, k_offsets, o) : Distances{};
  const Tensor values = bias ? spread(bias->table.value().to(acc), distances) : Tensor();
  Tensor out = Tensor::like(q.value()), lse = Tensor::empty({q.dim(0), o.heads}, acc, out.device());
  on_attention_kernel(out, shape, bias != nullptr, [&](auto isa, auto type) {
    using T = decltype(type);
    attention_forward(isa, out.data<T>(), lse.data<acc_t<T>>(), q.value().data<T>(),
                      k.value().data<T>(), v.value().data<T>(), shape,
                      bias_of<acc_t<T>>(distances, values, {}));
  });
  std::vector<Var> inputs{q, k, v};
  if (bias) inputs.push_back(bias->table);
  if (!will_record(inputs)) return out;
  return record(
      "attention", out, inputs,
      [q_saved = Saved(q), k_saved = Saved(k), v_saved = Saved(v), out_saved = Saved::result(out),
       lse, shape, q_off, k_off, distances, values, acc,
       table = bias ? bias->table.shape() : Shape{},
       table_dtype = bias ? bias->table.dtype() : acc](const Tensor& dy, const Need& need) {
        const Tensor qs = q_saved.get(), ks = k_saved.get(), vs = v_saved.get(),
                     ys = out_saved.get();
        AttentionShape s = shape;
        s.q_offsets = q_off.data();
        s.k_offsets = k_off.data();
        // The three share their scores: one pass makes all of them.
        std::vector<Tensor> grads{Tensor::like(qs), Tensor::like(ks), Tensor::like(vs)};
        const bool biased = values.defined();
        const Tensor by_distance =
            biased && need[3]
                ? Tensor::zeros({s.documents, s.heads, distances.count}, acc, dy.device())
                : Tensor();
        on_attention_kernel(dy, s, biased, [&](auto isa, auto type) {
          using T = decltype(type);
          attention_backward(isa, grads[0].data<T>(), grads[1].data<T>(), grads[2].data<T>(),
                             dy.data<T>(), ys.data<T>(), lse.data<acc_t<T>>(), qs.data<T>(),
                             ks.data<T>(), vs.data<T>(), s,
                             bias_of<acc_t<T>>(distances, values, by_distance));
        });
        if (biased)
          grads.push_back(need[3] ? gathered(by_distance, distances, table).to(table_dtype)
                                  : Tensor());
        return grads;
      });
}

}  // namespace lk
