// LoHa: low-rank Hadamard product (FedPara, Hyeon-Woo et al. 2021, arXiv:2108.06098; LyCORIS, Yeh
// et al. 2023, arXiv:2309.14859):
//   ΔW = (alpha / r) (A1 B1) * (A2 B2)      A [out, r], B [r, in]; A2 starts at 0
// Its rank is up to r^2: ΔW = P Q with P the products of all pairs of columns of A1 and A2, Q those
// of rows of B1 and B2, so that ΔW itself need not be made while r^2 is below its dimensions.
// Trained: 2 r (in + out) for each layer.
#include "peft/loha.h"

#include <cmath>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class LohaPart : public LinearAdapter {
 public:
  LohaPart(Place& place, int64_t r, double scale, bool neutral)
      : a1_(place.parameter("hada_w1_a", place.normal({place.out, r}, 0.1))),
        b1_(place.parameter("hada_w1_b", place.normal({r, place.in}, 1.0))),
        a2_(place.parameter("hada_w2_a", neutral ? place.constant({place.out, r}, 0)
                                                 : place.normal({place.out, r}, 0.1))),
        b2_(place.parameter("hada_w2_b", place.normal({r, place.in}, 1.0))),
        scale_(static_cast<float>(scale)) {
    for (int32_t i = 0; i < r; ++i)
      for (int32_t j = 0; j < r; ++j) first_.push_back(i), second_.push_back(j);
  }
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const int64_t r = b1_.shape[0];
    if (r * r <= std::min(linear.in_features(), linear.out_features())) {
      const Var p = mul(gather_rows(transpose(a1_.var), first_),
                        gather_rows(transpose(a2_.var), second_)),               // [r^2, out]
          q = mul(gather_rows(b1_.var, first_), gather_rows(b2_.var, second_));  // [r^2, in]
      return low_rank_add(inner(x), x, q, transpose(p), scale_);
    }
    const Var w =
        mul(lk::linear(a1_.var, b1_.var, {}, true), lk::linear(a2_.var, b2_.var, {}, true));
    return add(inner(x), scale(lk::linear(x, w), scale_));
  }
  void visit(const ParameterVisitor& f) override { f(a1_), f(b1_), f(a2_), f(b2_); }

 private:
  Parameter a1_, b1_, a2_, b2_;
  float scale_;
  std::vector<int32_t> first_, second_;  // all pairs
};

class Loha : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = rank_of(settings_, "r", place);
    const double alpha =
        pattern_value(settings_, "alpha_pattern", place.module, settings_.number("alpha", 0, 1e9));
    return std::make_shared<LohaPart>(place, r, alpha / static_cast<double>(r),
                                      starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo loha_info() {
  return {"loha",
          "LOHA",
          "the element-wise product of two low-rank matrices",
          "Hyeon-Woo et al. 2021, arXiv:2108.06098",
          1e-3,
          with_target_options({{"rank", "r", "8", "rank of each factor"},
                               {"alpha", "alpha", "8", "the sum is scaled by alpha / rank"},
                               {"rank-pattern", "rank_pattern", "{}", "ranks of modules"},
                               {"alpha-pattern", "alpha_pattern", "{}", "alphas of modules"},
                               {"", "init_weights", "true", ""}},
                              false),
          make_method<Loha>};
}

}  // namespace lk
