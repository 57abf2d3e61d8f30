#include "engine/gemm.h"

#include <list>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "engine/cpu.h"
#include "engine/dry_run.h"
#include "engine/kernels/matvec.h"
#include "engine/parallel.h"

namespace lk {
namespace {

using dnnl::memory;

struct Key {
  int64_t m, n, k;
  DType ab, c, bias;
  bool ta, tb, accumulate, has_bias;
  float alpha;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& q) const {
    uint64_t h = 0x9E3779B97F4A7C15u;
    const auto mix = [&h](uint64_t v) { h = (h ^ v) * 0xff51afd7ed558ccdu, h ^= h >> 32; };
    mix(static_cast<uint64_t>(q.m) << 32 ^ static_cast<uint64_t>(q.n));
    mix(static_cast<uint64_t>(q.k));
    mix(static_cast<uint64_t>(q.ab) | static_cast<uint64_t>(q.c) << 8 |
        static_cast<uint64_t>(q.bias) << 16 | uint64_t{q.ta} << 24 | uint64_t{q.tb} << 25 |
        uint64_t{q.accumulate} << 26 | uint64_t{q.has_bias} << 27);
    mix(std::bit_cast<uint32_t>(q.alpha));
    return static_cast<size_t>(h);
  }
};

struct Plan {
  dnnl::matmul primitive;
  memory a, b, c, bias;
  dnnl::reorder pack;  // where `packed` is set: b goes into the library's own layout first
  memory packed;
};

dnnl::engine& cpu_engine() {
  static dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

memory::data_type dnnl_type(DType t) {
  return t == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

// A wide f32 matrix in [k, n] order is read slowly by the library: with n = 3072, k = 768 a product
// took 26 ms, but 15 ms after 0.7 ms of packing; narrower and transposed ones gain nothing.
bool gains_by_packing(const Key& q) {
  return q.ab == DType::f32 && !q.tb && !q.ta && q.m >= 256 && q.n >= 2 * q.k && q.k >= 128;
}

Plan make_plan(const Key& q) {
  using tag = memory::format_tag;
  const memory::desc a({q.m, q.k}, dnnl_type(q.ab), q.ta ? tag::ba : tag::ab);
  const memory::desc b({q.k, q.n}, dnnl_type(q.ab), q.tb ? tag::ba : tag::ab);
  const memory::desc c({q.m, q.n}, dnnl_type(q.c), tag::ab);
  const memory::desc bias =
      q.has_bias ? memory::desc({1, q.n}, dnnl_type(q.bias), tag::ab) : memory::desc();
  dnnl::primitive_attr attr;
  if (q.alpha != 1.0f) attr.set_output_scales(0, {q.alpha});
  if (q.accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attr.set_post_ops(ops);
  }
  const bool pack = gains_by_packing(q);
  const memory::desc b_read = pack ? memory::desc({q.k, q.n}, dnnl_type(q.ab), tag::any) : b;
  const dnnl::matmul::desc desc =
      q.has_bias ? dnnl::matmul::desc(a, b_read, bias, c) : dnnl::matmul::desc(a, b_read, c);
  const dnnl::matmul::primitive_desc chosen(desc, attr, cpu_engine());
  Plan plan;
  plan.primitive = dnnl::matmul(chosen);
  if (pack && chosen.weights_desc() != b) {
    plan.packed = memory(chosen.weights_desc(), cpu_engine(), nullptr);
    plan.pack = dnnl::reorder(
        {cpu_engine(), b, cpu_engine(), chosen.weights_desc(), dnnl::primitive_attr()});
  }
  plan.a = memory(a, cpu_engine(), nullptr);
  plan.b = memory(b, cpu_engine(), nullptr);
  plan.c = memory(c, cpu_engine(), nullptr);
  if (q.has_bias) plan.bias = memory(bias, cpu_engine(), nullptr);
  return plan;
}

// Least recently used first out: packed batches come in many lengths, and a plan costs about a
// millisecond.
Plan& plan_for(const Key& key) {
  using Entry = std::pair<Key, Plan>;
  thread_local std::list<Entry> order;
  thread_local std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> index;
  constexpr size_t kMostPlans = 4096;
  if (const auto found = index.find(key); found != index.end()) {
    order.splice(order.begin(), order, found->second);
    return order.front().second;
  }
  order.emplace_front(key, make_plan(key));
  index[key] = order.begin();
  if (order.size() > kMostPlans) {
    index.erase(order.back().first);
    order.pop_back();
  }
  return order.front().second;
}

void run_dnnl(const Key& key, const Tensor& c, const Tensor& a, const Tensor& b,
              const Tensor* bias) {
  Plan& p = plan_for(key);
  p.a.set_data_handle(a.raw());
  p.b.set_data_handle(b.raw());
  p.c.set_data_handle(c.raw());
  thread_local dnnl::stream stream(cpu_engine());
  std::unordered_map<int, memory> args{
      {DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}};
  Tensor panel;
  if (p.packed) {
    const CategoryScope workspace(Category::workspace);
    panel = Tensor::empty({static_cast<int64_t>(p.packed.get_desc().get_size())}, DType::u8);
    if (dry_run()) return;
    p.packed.set_data_handle(panel.raw());
    p.pack.execute(stream, p.b, p.packed);
    args[DNNL_ARG_WEIGHTS] = p.packed;
  }
  if (key.has_bias) {
    p.bias.set_data_handle(bias->raw());
    args.emplace(DNNL_ARG_BIAS, p.bias);
  }
  if (dry_run()) return;
  p.primitive.execute(stream, args);
  stream.wait();
}

// A few rows, as in generation, are bound by reading B: the library reads it no faster than a
// third of what the memory allows.
void run_matvec(const Key& q, const Tensor& c, const Tensor& a, const Tensor& b,
                const Tensor* bias) {
  const MatvecShape shape{q.m, q.k, q.n, !q.tb, q.alpha, q.accumulate};
  const Tensor wide = bias ? bias->to(DType::f32) : Tensor();
  const float* add = bias ? wide.data<float>() : nullptr;
  on_float(q.ab, [&](auto isa, auto type) {
    using T = decltype(type);
    if constexpr (!std::is_same_v<T, double>) {
      if (q.c == q.ab)
        matvec(isa, c.data<T>(), a.data<T>(), b.data<T>(), add, shape);
      else
        matvec(isa, c.data<float>(), a.data<T>(), b.data<T>(), add, shape);
    }
  });
}

// The library of Debian 12 has bf16 products only from AVX-512 on: elsewhere they are taken in f32.
bool library_has_bf16() {
  static const bool has = [] {
    try {
      make_plan(
          {16, 16, 16, DType::bf16, DType::bf16, DType::f32, false, false, false, false, 1.0f});
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return has;
}

void gemm_f64(const Key& q, double* c, const double* a, const double* b, const Tensor* bias) {
  const Tensor bias64 = bias ? bias->to(DType::f64) : Tensor();
  parallel_for(q.m, 1 + 100000 / (q.n * q.k + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < q.n; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < q.k; ++l)
          sum += a[q.ta ? l * q.m + i : i * q.k + l] * b[q.tb ? j * q.k + l : l * q.n + j];
        sum *= q.alpha;
        if (bias) sum += bias64.data<double>()[j];
        c[i * q.n + j] = q.accumulate ? c[i * q.n + j] + sum : sum;
      }
  });
}

void gemm_cuda(const Key& q, const Tensor& c, const Tensor& a, const Tensor& b,
               const Tensor* bias) {
  const Tensor like_c = bias ? bias->to(c.dtype()) : Tensor();
  on_float("gemm", a, [&](auto isa, auto) {
    if constexpr (std::is_same_v<decltype(isa), Cuda>)
      gemm(isa, c.raw(), a.raw(), b.raw(), like_c.raw(), q.alpha,
           {q.m, q.n, q.k, q.ab, q.c, q.ta, q.tb, q.accumulate, q.has_bias});
  });
}

void count(int64_t m, int64_t n, int64_t k) {
  gemm_counters().calls += 1;
  gemm_counters().flops +=
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// Reads a tensor as a matrix: rows are all dimensions but the last.
std::pair<int64_t, int64_t> as_matrix(const Tensor& t) {
  if (t.shape().rank() == 0) return {1, 1};
  int64_t rows = 1;
  for (int i = 0; i + 1 < t.shape().rank(); ++i) rows *= t.dim(i);
  return {rows, t.dim(-1)};
}

}  // namespace

GemmCounters& gemm_counters() {
  static GemmCounters counters;
  return counters;
}

void gemm(const Tensor& c, const Tensor& a, const Tensor& b, const GemmOptions& o) {
  auto [am, ak] = as_matrix(a);
  auto [bk, bn] = as_matrix(b);
  if (o.transpose_a) std::swap(am, ak);
  if (o.transpose_b) std::swap(bk, bn);
  const auto [cm, cn] = as_matrix(c);
  invariant(ak == bk && cm == am && cn == bn, "gemm: {}{} times {}{} into {}", a.shape(),
            o.transpose_a ? "^T" : "", b.shape(), o.transpose_b ? "^T" : "", c.shape());
  invariant(a.dtype() == b.dtype() && (c.dtype() == a.dtype() || c.dtype() == DType::f32),
            "gemm: {} times {} into {}", name_of(a.dtype()), name_of(b.dtype()),
            name_of(c.dtype()));
  invariant(!o.bias || (!o.accumulate && o.bias->numel() == cn),
            "gemm: bias for {} columns does not fit", cn);
  // A scaled output scales the bias too (oneDNN applies scales after it).
  invariant(!(o.bias && o.alpha != 1.0f && a.dtype() != DType::f64),
            "gemm: alpha {} together with a bias", o.alpha);
  if (cm == 0 || cn == 0) return;
  count(cm, cn, ak);
  const DType bias_type = o.bias ? o.bias->dtype() : DType::f32;
  const Key key{cm,
                cn,
                ak,
                a.dtype(),
                c.dtype(),
                bias_type,
                o.transpose_a,
                o.transpose_b,
                o.accumulate,
                o.bias != nullptr,
                o.alpha};
  if (ak == 0) {
    invariant(!o.bias, "gemm: empty inner dimension with a bias");
    if (!o.accumulate) c.zero();
    return;
  }
  if (a.device() == Device::cuda) return gemm_cuda(key, c, a, b, o.bias);
  const KernelScope scope("gemm", Device::cpu);
  if (a.dtype() == DType::f64) {
    invariant(c.dtype() == DType::f64, "gemm: f64 into {}", name_of(c.dtype()));
    gemm_f64(key, c.data<double>(), a.data<double>(), b.data<double>(), o.bias);
    return;
  }
  if (cm <= kMatvecRows && !o.transpose_a) return run_matvec(key, c, a, b, o.bias);
  if (a.dtype() == DType::bf16 && !library_has_bf16()) {
    const CategoryScope workspace(Category::workspace);
    const Tensor c32 = o.accumulate ? c.to(DType::f32) : Tensor::empty(c.shape(), DType::f32);
    const Tensor bias32 = o.bias ? o.bias->to(DType::f32) : Tensor();
    Key key32 = key;
    key32.ab = key32.c = key32.bias = DType::f32;
    const Tensor& out = c.dtype() == DType::f32 ? c : c32;
    run_dnnl(key32, out, a.to(DType::f32), b.to(DType::f32), o.bias ? &bias32 : nullptr);
    if (c.dtype() != DType::f32) convert(c.raw(), c.dtype(), c32.raw(), DType::f32, c.numel());
    return;
  }
  run_dnnl(key, c, a, b, o.bias);
}

Tensor gemm_gelu_tanh(const Tensor& a, const Tensor& b, const GemmOptions& o, Tensor* z) {
  if (a.device() != Device::cuda || a.dtype() != DType::bf16) return {};
  auto [m, k] = as_matrix(a);
  auto [bk, n] = as_matrix(b);
  if (o.transpose_a) std::swap(m, k);
  if (o.transpose_b) std::swap(bk, n);
  invariant(k == bk && b.dtype() == a.dtype(), "gemm_gelu_tanh: {} {} times {} {}",
            name_of(a.dtype()), a.shape(), name_of(b.dtype()), b.shape());
  invariant(o.alpha == 1.0f && !o.accumulate && (!o.bias || o.bias->numel() == n),
            "gemm_gelu_tanh: options that it has not");
  if (m == 0 || n == 0 || k == 0) return {};
  const Tensor bias = o.bias ? o.bias->to(a.dtype()) : Tensor();
  Tensor c = Tensor::empty({m, n}, a.dtype(), a.device());
  Tensor kept = z ? Tensor::like(c) : Tensor();
  bool done = false;
  on_float("gemm", a, [&](auto isa, auto) {
    if constexpr (std::is_same_v<decltype(isa), Cuda>)
      done = gemm_gelu_tanh(isa, c.raw(), kept.raw(), a.raw(), b.raw(), bias.raw(),
                            {.m = m,
                             .n = n,
                             .k = k,
                             .ab = a.dtype(),
                             .c = a.dtype(),
                             .transpose_a = o.transpose_a,
                             .transpose_b = o.transpose_b,
                             .accumulate = false,
                             .has_bias = o.bias != nullptr,
                             .gelu = true,
                             .keeps_z = z != nullptr});
  });
  if (!done) return {};
  if (z) *z = std::move(kept);
  count(m, n, k);
  return c;
}

}  // namespace lk
