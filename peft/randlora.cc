// RandLoRA: Full-rank parameter-efficient fine-tuning of large models (Albert et al. 2025,
// arXiv:2502.00987), eq. 3:
//   h = W0 x + s Σ_j B_j Λ_j A Γ_j x     j < n = ceil(min(in, out) / r), s = alpha / r
// A [r, min] and B [max, n, r] are frozen, random and shared by all layers; λ [r, n] and γ [n, min]
// train. As HF PEFT has it, the sum runs over k < r n, where A's row is k / n scaled by λ_k and γ's
// row is k mod n, while B's entry is (k / r, k mod r); A takes the smaller dimension. The change
// has full rank, so that its factors are as large as the weight. Trained: r n + n min(in, out) for
// each layer.
#include "peft/randlora.h"

#include <cmath>

#include "autograd/ops.h"
#include "peft/device_copies.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class RandLoraPart : public LinearAdapter {
 public:
  RandLoraPart(Place& place, double alpha, float dropout, const Tensor& a, const Tensor& b,
               std::shared_ptr<const DeviceCopies> copies)
      : a_(place.parameter("randlora_A", a)),
        b_(place.parameter("randlora_B", b)),
        scale_(static_cast<float>(alpha / static_cast<double>(a.dim(0)))),
        dropout_(dropout),
        least_(std::min(place.in, place.out)),
        most_(std::max(place.in, place.out)),
        n_((least_ + a.dim(0) - 1) / a.dim(0)),
        model_(place.model),
        copies_(std::move(copies)) {
    const int64_t r = a.dim(0);
    lambda_ = place.parameter("randlora_lambda", place.constant({r, n_}, 0));
    gamma_ = place.parameter("randlora_gamma",
                             place.constant({n_, least_}, 1.0 / static_cast<double>(least_)));
    for (int64_t k = 0; k < r * n_; ++k) {
      a_rows_.push_back(static_cast<int32_t>(k / n_));
      gamma_rows_.push_back(static_cast<int32_t>(k % n_));
    }
  }
  Var forward(const Linear& linear, const Var& given, const Inner& inner) override {
    const int64_t r = lambda_.shape[0];
    const Device device = given.value().device();
    const Tensor a = copies_->of(a_.var.value(), device), b = copies_->of(b_.var.value(), device);
    const Var rows = first_columns(a.view({r, a_.shape[2]}), least_);
    const Var scaled = mul(gather_rows(rows, a_rows_), gather_rows(gamma_.var, gamma_rows_));
    const Var small = mul_row(transpose(scaled), view(lambda_.var, {r * n_}));  // [min, r n]
    const Var large =
        first_columns(b.rows(0, most_).view({most_, b_.shape[1] * r}), r * n_);  // [max, r n]
    const Var x = dropout(given, model_.training ? dropout_ : 0.0f);
    const bool small_first = least_ == linear.in_features();
    const Var u = lk::linear(x, small_first ? small : large, {}, true);
    return add(inner(given), scale(lk::linear(u, small_first ? large : small), scale_));
  }
  void visit(const ParameterVisitor& f) override { f(lambda_), f(gamma_); }
  void visit_frozen(const ParameterVisitor& f) { f(a_), f(b_); }

 private:
  static Var first_columns(const Var& x, int64_t count) {
    if (x.dim(1) == count) return x;
    return split_columns(x, {count, x.dim(1) - count})[0];
  }
  Parameter a_, b_, lambda_, gamma_;
  float scale_, dropout_;
  int64_t least_, most_, n_;
  std::vector<int32_t> a_rows_, gamma_rows_;
  const Model& model_;
  std::shared_ptr<const DeviceCopies> copies_;  // A and B are the same for all layers
};

class RandLora : public LinearMethod {
 public:
  explicit RandLora(const Settings& settings) : LinearMethod(settings) {
    require(
        settings.boolean("save_projection"),
        "{}: save_projection is false: HF PEFT would draw A and B again from its random numbers in "
        "bf16, which are not reproduced here; save the adapter with them",
        settings.source());
  }
  void visit_frozen(const ParameterVisitor& f) override {
    LinearMethod::visit_frozen(f);
    f(a_), f(b_);
    for (const auto& part : parts_) part->visit_frozen(f);
  }

 protected:
  void begin(Model& model, const Targets& targets) override {
    const int64_t r = settings_.integer("r", 1, 1 << 16);
    // As HF PEFT sizes them: the largest input and the largest output, whichever layers have them.
    int64_t in = 0, out = 0;
    for (const Linear* l : targets.linears) {
      in = std::max(in, l->in_features());
      out = std::max(out, l->out_features());
    }
    const int64_t least = std::min(in, out), most = std::max(in, out);
    const DType dtype = model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32;
    Random random(static_cast<uint64_t>(settings_.integer("projection_prng_key", 0, UINT32_MAX)));
    const auto make = [&](const std::string& name, const Shape& shape) {  // of unit variance
      Tensor t = Tensor::empty(shape, DType::f64);
      for (double& x : t.span<double>()) x = (2.0 * random.uniform53() - 1.0) * std::sqrt(3.0);
      Parameter p("base_model." + name, shape);
      p.set(t.to(dtype));
      return p;
    };
    a_ = make("randlora_A", {r, 1, least});
    b_ = make("randlora_B", {most, (least + r - 1) / r, r});
  }
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const auto part = std::make_shared<RandLoraPart>(
        place, settings_.number("randlora_alpha", 0, 1e9),
        static_cast<float>(settings_.number("randlora_dropout", 0, 0.99)), a_.var.value(),
        b_.var.value(), copies_);
    parts_.push_back(part);
    return part;
  }

 private:
  Parameter a_, b_;
  std::vector<std::shared_ptr<RandLoraPart>> parts_;
  std::shared_ptr<const DeviceCopies> copies_ = std::make_shared<const DeviceCopies>();
};

}  // namespace

MethodInfo randlora_info() {
  return {
      "randlora",
      "RANDLORA",
      "a full-rank sum of scaled random matrices",
      "Albert et al. 2025, arXiv:2502.00987",
      1e-3,
      with_target_options({{"rank", "r", "32", "rank of each random matrix"},
                           {"alpha", "randlora_alpha", "640", "the sum is scaled by alpha / rank"},
                           {"dropout", "randlora_dropout", "0.0", "dropout on the input"},
                           {"projection-key", "projection_prng_key", "0", "seed of A and B"},
                           {"", "save_projection", "true", ""},
                           {"", "init_weights", "true", ""}}),
      make_method<RandLora>};
}

}  // namespace lk
