// PiSSA (Meng et al. 2024, arXiv:2404.02948): with W = U S V^T, the r largest singular values
// train,
//   B = U_r sqrt(S_r / s)    A = sqrt(S_r / s) V_r^T    W <- W - s B A.
// OLoRA (Buyukakyuz 2024, arXiv:2406.01775): with W = Q R,
//   B = Q[:, :r]             A = R[:r]                  W <- W - s B A.
// LoftQ (Li et al. 2023, arXiv:2310.08659), algorithm 1, for a base that is held in few bits, q(W):
//   Q_t = q(W - s B_t-1 A_t-1)       s B_t A_t = the r largest singular values of W - Q_t
// from B_0 A_0 = 0, with B = U_r sqrt(S_r / s) and A = sqrt(S_r / s) V_r^T. (HF PEFT leaves s out;
// the two are the same where alpha is the rank.)
#include "peft/lora_start.h"

#include <cmath>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/svd.h"

namespace lk {
namespace {

// The first r columns of m [n, k], column j times factor(j).
template <class F>
Tensor columns(const Tensor& m, int64_t r, F&& factor) {
  std::vector<double> out;
  for (int64_t i = 0; i < m.dim(0); ++i)
    for (int64_t j = 0; j < r; ++j) out.push_back(m.item(i * m.dim(1) + j) * factor(j));
  return Tensor::from<double>(out, {m.dim(0), r}).to(m.dtype());
}

template <class F>
Tensor first_rows(const Tensor& m, int64_t r, F&& factor) {
  std::vector<double> out;
  for (int64_t i = 0; i < r; ++i)
    for (int64_t j = 0; j < m.dim(1); ++j) out.push_back(m.item(i * m.dim(1) + j) * factor(i));
  return Tensor::from<double>(out, {r, m.dim(1)}).to(m.dtype());
}

// The r largest singular values, found where the model says.
Svd factors(const Tensor& m, int64_t r, const Model& model) {
  return principal_svd(m.to(model.factor_on), r);
}

LoraStart with_rest(LoraStart start, const Tensor& w, double scale) {
  start.new_weight = w.clone();
  gemm(start.new_weight, start.b, start.a,
       {.alpha = -static_cast<float>(scale), .accumulate = true});
  return start;
}

LoraStart loftq(const Place& place, int64_t r, double scale, const LoftqConfig& config) {
  const Weight& weight = place.linear->weight();
  const std::string& module = place.module;
  const int bits = weight.rounded_bits();
  require(bits > 0,
          "init_lora_weights 'loftq' makes up for what quantizing loses, but '{}' is not "
          "quantized; pass --quant nf4, or use the method qlora",
          module);
  require(config.bits == 0 || config.bits == bits,
          "loftq_config: loftq_bits is {}, but '{}' is held in {} bits", config.bits, module, bits);
  const Tensor w = weight.original(DType::f32);
  require(w.defined(),
          "init_lora_weights 'loftq' needs '{}' as it was before it was quantized; start from the "
          "dense folder",
          module);
  LoraStart out;
  Tensor rest = w;
  for (int64_t t = 0; t < config.iterations; ++t) {
    if (t > 0) rest = out.new_weight = with_rest(out, w, scale).new_weight;
    const Tensor lost = w.clone(), q = weight.rounded(rest);
    for (int64_t i = 0; i < w.numel(); ++i) lost.data<float>()[i] -= q.data<float>()[i];
    const Svd f = factors(lost, r, place.model);
    const auto root = [&](int64_t i) { return std::sqrt(f.s.item(i) / scale); };
    out.a = first_rows(f.vt, r, root);
    out.b = columns(f.u, r, root);
  }
  out.a = out.a.to(place.dtype());
  out.b = out.b.to(place.dtype());
  return out;
}

}  // namespace

LoraStart lora_start(Place& place, const std::string& kind, int64_t r, double scale,
                     const LoftqConfig& loftq_config) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(place.in));
  if (kind == "true")
    return {place.uniform({r, place.in}, bound), place.constant({place.out, r}, 0), {}};
  if (kind == "gaussian")
    return {place.normal({r, place.in}, 1.0 / static_cast<double>(r)),
            place.constant({place.out, r}, 0),
            {}};
  if (kind == "false") {
    LoraStart out;
    out.a = place.uniform({r, place.in}, bound);
    out.b = place.uniform({place.out, r}, 1.0 / std::sqrt(static_cast<double>(r)));
    return out;
  }
  if (kind == "orthogonal") {
    require(r % 2 == 0, "init_lora_weights 'orthogonal' needs an even rank, found {}", r);
    const Tensor q = qr(place.normal({r, r}, 1.0)).q;
    const auto through = [&](int64_t count,
                             int64_t first_row) {  // [count, r] in a half of the space
      std::vector<int32_t> rows;
      for (auto i = static_cast<int32_t>(first_row); i < r; i += 2) rows.push_back(i);
      return linear(place.normal({count, r / 2}, 0.1), gather_rows(q, rows), {}, true).value();
    };
    return {transpose(through(place.in, 0)).value(), through(place.out, 1), {}};
  }
  require(scale != 0, "init_lora_weights '{}' divides by the scale, which is 0", kind);
  if (kind == "pissa" || kind.rfind("pissa_niter_", 0) == 0) {
    const Tensor w = place.linear->weight().dense(place.dtype());
    const Svd f = factors(w, r, place.model);
    const auto root = [&](int64_t i) { return std::sqrt(f.s.item(i) / scale); };
    return with_rest({first_rows(f.vt, r, root), columns(f.u, r, root), {}}, w, scale);
  }
  if (kind == "olora") {
    const Tensor w = place.linear->weight().dense(place.dtype());
    const Qr f = qr(w);
    const auto one = [](int64_t) { return 1.0; };
    return with_rest({first_rows(f.r, r, one), columns(f.q, r, one), {}}, w, scale);
  }
  if (kind == "loftq") return loftq(place, r, scale, loftq_config);
  fail(
      "init_lora_weights is '{}'; expected true, false, gaussian, orthogonal, pissa, "
      "pissa_niter_N, olora or loftq",
      kind);
}

}  // namespace lk
