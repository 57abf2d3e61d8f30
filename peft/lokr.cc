// LoKr: low-rank Kronecker product (KronA, Edalati et al. 2022, arXiv:2212.10650; LyCORIS, Yeh et
// al. 2023, arXiv:2309.14859):
//   ΔW = (alpha / r) W1 ⊗ W2      W1 [a, c], W2 [b, d], a b = out, c d = in; W1 starts at 0
// where a and c are the divisors next to the square root (decompose_factor: that divisor). W2 is
// W2a W2b with r between where r < max(b, d) / 2; with decompose_both W1 too. As a product with x
// it is y = W2 X W1^T with X the [c, d] view of x: no matrix of W's size is made. Trained: a c + b
// d, or r (b + d) in place of b d, for each layer.
#include "peft/lokr.h"

#include <cmath>
#include <optional>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

// n = first * second, first <= second: as near to each other as `factor` (-1: any) allows.
std::pair<int64_t, int64_t> factorize(int64_t n, int64_t factor) {
  if (factor > 0 && n % factor == 0) return {factor, n / factor};
  const int64_t most = factor == -1 ? n : factor;
  int64_t first = 1;
  for (int64_t d = 1; d * d <= n && d <= most; ++d)
    if (n % d == 0) first = d;
  return {first, n / first};
}

// A matrix, whole or as a product.
struct Factor {
  std::optional<Parameter> whole, left, right;
  Var value() const { return whole ? whole->var : linear(left->var, right->var, {}, true); }
  void visit(const ParameterVisitor& f) {
    for (auto* p : {&whole, &left, &right})
      if (*p) f(**p);
  }
};

class LokrPart : public LinearAdapter {
 public:
  LokrPart(Place& place, int64_t r, double scale, int64_t factor, bool both, bool neutral)
      : scale_(static_cast<float>(scale)) {
    const auto [a, b] = factorize(place.out, factor);
    const auto [c, d] = factorize(place.in, factor);
    const auto kaiming = [&](const Shape& s) {
      return place.uniform(s, 1.0 / std::sqrt(static_cast<double>(s[1])));
    };
    const auto make = [&](const std::string& name, const Shape& s, bool split, bool zero) {
      Factor f;
      if (!split) {
        f.whole = place.parameter(name, zero ? place.constant(s, 0) : kaiming(s));
        return f;
      }
      f.left =
          place.parameter(name + "_a", zero ? place.constant({s[0], r}, 0) : kaiming({s[0], r}));
      f.right = place.parameter(name + "_b", kaiming({r, s[1]}));
      return f;
    };
    w1_ = make("lokr_w1", {a, c}, both && 2 * r < std::max(a, c), neutral);
    w2_ = make("lokr_w2", {b, d}, 2 * r < std::max(b, d), false);
    a_ = a, b_ = b, c_ = c, d_ = d;
  }
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    const int64_t t = x.dim(0);
    const Var z = linear(view(x, {t * c_, d_}), w2_.value());  // [T c, b]
    const Var u = linear(view(transpose(view(z, {t, c_, b_})), {t * b_, c_}), w1_.value());
    const Var y = view(transpose(view(u, {t, b_, a_})), {t, a_ * b_});
    return add(inner(x), scale(y, scale_));
  }
  void visit(const ParameterVisitor& f) override { w1_.visit(f), w2_.visit(f); }

 private:
  Factor w1_, w2_;
  float scale_;
  int64_t a_, b_, c_, d_;
};

class Lokr : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = rank_of(settings_, "r", place);
    const double alpha =
        pattern_value(settings_, "alpha_pattern", place.module, settings_.number("alpha", 0, 1e9));
    return std::make_shared<LokrPart>(place, r, alpha / static_cast<double>(r),
                                      settings_.integer("decompose_factor", -1, 1 << 20),
                                      settings_.boolean("decompose_both"),
                                      starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo lokr_info() {
  return {"lokr",
          "LOKR",
          "a Kronecker product of two small matrices",
          "Yeh et al. 2023, arXiv:2309.14859",
          1e-3,
          with_target_options(
              {{"rank", "r", "8", "rank of the second factor where it is large"},
               {"alpha", "alpha", "8", "the sum is scaled by alpha / rank"},
               {"decompose-both", "decompose_both", "false", "the first factor is a product too"},
               {"decompose-factor", "decompose_factor", "-1", "the divisor to split by; -1: any"},
               {"rank-pattern", "rank_pattern", "{}", "ranks of modules"},
               {"alpha-pattern", "alpha_pattern", "{}", "alphas of modules"},
               {"", "init_weights", "true", ""}},
              false),
          make_method<Lokr>};
}

}  // namespace lk
