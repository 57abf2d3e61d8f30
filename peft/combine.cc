// Editing Models with Task Arithmetic (Ilharco et al. 2022, arXiv:2212.04089); TIES-Merging:
// Resolving Interference When Merging Models (Yadav et al. 2023, arXiv:2306.01708), section 4:
// trim, elect a sign for each value, average those that agree; DARE: Language Models are Super
// Mario (Yu et al. 2023, arXiv:2311.03099): drop at random and rescale. On the factors of LoRA, as
// HF PEFT has it, with the weight's root on each of A and B: sqrt(|w s|), its sign on A.
#include "peft/combine.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/gemm.h"
#include "engine/svd.h"
#include "peft/nearest.h"

namespace lk {
namespace {

// How the type treats tensors, and whether it does so on B A.
struct Kind {
  bool cat, by_svd, random, magnitude, ties;
  // Whether the result is the weighted sum of the B A, no value of which is treated by itself.
  bool is_sum() const { return !random && !magnitude; }
  explicit Kind(std::string type)
      : cat(type == "cat"),
        by_svd(type.ends_with("svd")),
        random(type.starts_with("dare")),
        magnitude(type.starts_with("ties") || type.starts_with("magnitude")),
        ties(type.find("ties") != std::string::npos) {}
  bool prunes() const { return random || magnitude; }
};

void keep_largest(std::span<float> values, double density) {
  const auto count = static_cast<std::ptrdiff_t>(density * static_cast<double>(values.size()));
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto larger = [&](size_t i, size_t j) {
    const float a = std::abs(values[i]), b = std::abs(values[j]);
    return a > b || (a == b && i < j);
  };
  std::nth_element(order.begin(), order.begin() + count, order.end(), larger);
  for (auto i = order.begin() + count; i != order.end(); ++i) values[*i] = 0;
}

void drop(std::span<float> values, double density, Random& random) {
  for (float& v : values) v = random.uniform53() < density ? static_cast<float>(v / density) : 0.0f;
}

float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }

}  // namespace

const std::vector<std::string>& combination_types() {
  static const std::vector<std::string> types{"linear",
                                              "cat",
                                              "svd",
                                              "ties",
                                              "ties_svd",
                                              "dare_linear",
                                              "dare_ties",
                                              "dare_linear_svd",
                                              "dare_ties_svd",
                                              "magnitude_prune",
                                              "magnitude_prune_svd"};
  return types;
}

void check(const CombineOptions& o) {
  const auto& types = combination_types();
  require(std::find(types.begin(), types.end(), o.type) != types.end(),
          "the combination '{}' is not known; nearest: {}", o.type, nearest(o.type, types));
  const Kind kind(o.type);
  require(!kind.prunes() || (o.density > 0 && o.density <= 1),
          "the combination {} needs a density above 0 and up to 1, found {}", o.type, o.density);
  require(kind.prunes() || o.density == 0, "the combination {} prunes nothing: it takes no density",
          o.type);
  require(o.majority_sign == "total" || o.majority_sign == "frequency",
          "the majority sign is '{}'; expected total or frequency", o.majority_sign);
  require(o.rank == 0 || kind.by_svd, "the combination {} does not choose its rank; svd does",
          o.type);
}

Tensor combine_tensors(const std::vector<Tensor>& tensors, const std::vector<double>& weights,
                       const CombineOptions& o, Random& random) {
  const Kind kind(o.type);
  std::vector<Tensor> pruned;
  for (const Tensor& t : tensors) {
    require(t.shape() == tensors[0].shape(), "adapters of {} and {} cannot be combined by {}",
            tensors[0].shape(), t.shape(), o.type);
    pruned.push_back(t.to(DType::f32).clone());
    if (o.density >= 1 || !kind.prunes()) continue;
    if (kind.random)
      drop(pruned.back().span<float>(), o.density, random);
    else
      keep_largest(pruned.back().span<float>(), o.density);
  }
  Tensor out = Tensor::zeros(tensors[0].shape(), DType::f32);
  for (int64_t j = 0; j < out.numel(); ++j) {
    float majority = 0, total = 0, agree = 0;
    for (const Tensor& t : pruned) {
      const float v = t.data<float>()[j];
      majority += o.majority_sign == "total" ? v : sign(v);
    }
    for (size_t i = 0; i < pruned.size(); ++i) {
      const float v = pruned[i].data<float>()[j];
      if (kind.ties && sign(v) != (majority >= 0 ? 1.0f : -1.0f)) continue;
      total += static_cast<float>(weights[i]) * v;
      ++agree;
    }
    out.data<float>()[j] = kind.ties ? total / std::max(agree, 1.0f) : total;
  }
  return out;
}

namespace {

LowRank side_by_side(const std::vector<LowRank>& parts, const std::vector<double>& weights,
                     int64_t rank) {
  const int64_t in = parts[0].a.dim(1), out = parts[0].b.dim(0);
  LowRank sum{Tensor::zeros({rank, in}, DType::f32), Tensor::zeros({out, rank}, DType::f32)};
  int64_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t r = parts[i].a.dim(0);
    const auto factor = static_cast<float>(weights[i] * parts[i].scale);
    for (int64_t j = 0; j < r * in; ++j)
      sum.a.data<float>()[at * in + j] = factor * static_cast<float>(parts[i].a.item(j));
    for (int64_t o = 0; o < out; ++o)
      for (int64_t k = 0; k < r; ++k)
        sum.b.data<float>()[o * rank + at + k] = static_cast<float>(parts[i].b.item(o * r + k));
    at += r;
  }
  return sum;
}

// u diag(s) vt, the first `rank` of them: B = u diag(s), A = vt.
LowRank split(const Tensor& delta, int64_t rank) {
  const Svd d = svd(delta);
  LowRank out{d.vt.rows(0, rank).clone(), Tensor::empty({delta.dim(0), rank}, DType::f32)};
  for (int64_t i = 0; i < delta.dim(0); ++i)
    for (int64_t k = 0; k < rank; ++k)
      out.b.data<float>()[i * rank + k] =
          d.u.data<float>()[i * d.u.dim(1) + k] * d.s.data<float>()[k];
  return out;
}

// The same of B A, without making it: B and A^T are thin.
//   B = Q_b R_b, A^T = Q_a R_a, R_b R_a^T = u diag(s) vt:  B A = (Q_b u) diag(s) (vt Q_a^T)
LowRank split(const LowRank& sum, int64_t rank) {
  const int64_t in = sum.a.dim(1), out = sum.b.dim(0), of_sum = sum.a.dim(0);
  Tensor at = Tensor::empty({in, of_sum}, DType::f32);
  for (int64_t i = 0; i < in; ++i)
    for (int64_t k = 0; k < of_sum; ++k)
      at.data<float>()[i * of_sum + k] = sum.a.data<float>()[k * in + i];
  const Qr b = qr(sum.b), a = qr(at);
  Tensor core = Tensor::empty({b.r.dim(0), a.r.dim(0)}, DType::f32);
  gemm(core, b.r, a.r, {.transpose_b = true});
  // What is wanted beyond the rank that the sum has stays 0.
  const int64_t kept = std::min({rank, core.dim(0), core.dim(1)});
  const LowRank inner = split(core, kept);
  LowRank found{Tensor::empty({kept, in}, DType::f32), Tensor::empty({out, kept}, DType::f32)};
  gemm(found.a, inner.a, a.q, {.transpose_b = true});
  gemm(found.b, b.q, inner.b);
  return kept == rank ? found : side_by_side({found}, {1}, rank);
}

}  // namespace

LowRank combine(const std::vector<LowRank>& parts, const std::vector<double>& weights,
                const CombineOptions& o, int64_t rank, Random& random) {
  invariant(!parts.empty() && parts.size() == weights.size(), "{} parts, {} weights", parts.size(),
            weights.size());
  const int64_t in = parts[0].a.dim(1), out = parts[0].b.dim(0);
  for (const LowRank& p : parts)
    require(p.a.dim(1) == in && p.b.dim(0) == out && p.b.dim(1) == p.a.dim(0),
            "a part of {} and {} does not fit a layer of [{}, {}]", p.a.shape(), p.b.shape(), out,
            in);
  require(rank <= std::min(in, out),
          "the result's rank would be {}, above that of a layer of [{}, {}]; combine by svd with a "
          "smaller rank",
          rank, out, in);
  const Kind kind(o.type);
  if (kind.cat) return side_by_side(parts, weights, rank);
  if (kind.by_svd && kind.is_sum()) {
    int64_t of_sum = 0;
    for (const LowRank& p : parts) of_sum += p.a.dim(0);
    return split(side_by_side(parts, weights, of_sum), rank);
  }
  std::vector<Tensor> a, b;
  if (kind.by_svd) {
    for (const LowRank& p : parts) {
      a.push_back(Tensor::zeros({out, in}, DType::f32));
      gemm(a.back(), p.b.to(DType::f32), p.a.to(DType::f32),
           {.alpha = static_cast<float>(p.scale)});
    }
    return split(combine_tensors(a, weights, o, random), rank);
  }
  std::vector<double> roots, signed_roots;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double w = weights[i] * parts[i].scale, root = std::sqrt(std::abs(w));
    roots.push_back(root);
    signed_roots.push_back(w < 0 ? -root : root);
    a.push_back(parts[i].a);
    b.push_back(parts[i].b);
  }
  LowRank sum{combine_tensors(a, signed_roots, o, random), combine_tensors(b, roots, o, random)};
  require(sum.a.dim(0) == rank, "adapters of rank {} where {} is wanted cannot be combined by {}",
          sum.a.dim(0), rank, o.type);
  return sum;
}

}  // namespace lk
