// AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning (Zhang et al. 2023,
// arXiv:2303.10512):
//   W = W0 + s P Λ Q           P = lora_B [out, r], Λ = lora_E [r, 1], Q = lora_A [r, in]   (eq. 3)
//   loss += γ mean over all P, Q of ||P^T P - I||_F, ||Q Q^T - I||_F                        (eq. 4)
//   I = |w dL/dw|,  Ī = β1 Ī + (1 - β1) I,  Ū = β2 Ū + (1 - β2) |I - Ī|,  s(w) = Ī Ū   (eq. 9..11)
//   S_i = s(λ_i) + mean_j s(P_ji) + mean_j s(Q_ij)                                          (eq. 7)
//   b(t) = b0 up to t_i, then b_T + (b0 - b_T) (1 - (t - t_i) / (T - t_i - t_f))^3, then b_T (eq.
//   12)
// At each allocation the λ_i outside the b(t) largest S become 0; their P and Q keep training, and
// a λ may come back. As in the authors' code the norms are not squared (the paper squares them),
// and s = alpha / (initial r + 1e-5) whatever the pruning. P, Q ~ N(0, 0.02), Λ = 0. Trained:
// init_r (in + out + 1) for each layer.
//
// From step T - t_f on the scores stay, so that the same λ are set to 0 after each update. What is
// saved are the other triplets, with rank_pattern.
#include "peft/adalora.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/adalora_budget.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class AdaLoraPart : public LinearAdapter {
 public:
  // r: triplets; init_r: those of the start, which the scale keeps.
  AdaLoraPart(Place& place, int64_t r, int64_t init_r, double alpha, float dropout)
      : a_(place.parameter("lora_A", place.normal({r, place.in}, 0.02))),
        e_(place.parameter("lora_E", place.constant({r, 1}, 0))),
        b_(place.parameter("lora_B", place.normal({place.out, r}, 0.02))),
        scale_(static_cast<float>((alpha > 0 ? alpha : static_cast<double>(init_r)) /
                                  (static_cast<double>(init_r) + 1e-5))),
        dropout_(dropout),
        model_(place.model) {}

  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    if (a_.shape[0] == 0) return inner(x);
    const Var u = mul_row(linear(dropout(x, model_.training ? dropout_ : 0.0f), a_.var), e_.var);
    return add(inner(x), lk::scale(linear(u, b_.var), scale_));
  }
  void visit(const ParameterVisitor& f) override { f(a_), f(e_), f(b_); }

  // ||Q Q^T - I||_F and ||P^T P - I||_F
  void add_norms(std::vector<Var>& out) const {
    if (a_.shape[0] == 0) return;
    const Var p = transpose(b_.var);
    Tensor minus_one = Tensor::zeros({a_.shape[0], a_.shape[0]}, a_.var.dtype());
    visit_float(minus_one.dtype(), [&](auto type) {
      using T = decltype(type);
      for (int64_t i = 0; i < a_.shape[0]; ++i)
        minus_one.data<T>()[i * (a_.shape[0] + 1)] = static_cast<T>(-1.0f);
    });
    minus_one = minus_one.to(a_.var.value().device());
    for (const Var& m : {a_.var, p}) out.push_back(frobenius_norm(add(linear(m, m), minus_one)));
  }

  // Keeps the triplets whose λ is not 0; returns which.
  std::vector<bool> drop_zeros() {
    std::vector<bool> kept;
    std::vector<int32_t> rows;
    for (int32_t i = 0; i < static_cast<int32_t>(a_.shape[0]); ++i) {
      kept.push_back(e_.var.value().item(i) != 0);
      if (kept.back()) rows.push_back(i);
    }
    const auto keep = [&](Parameter& p, const Var& value) {
      const bool trained = p.trainable();
      p.shape = value.shape();
      p.set(value.value());
      if (trained) p.make_trainable();
    };
    const NoGrad no_grad;
    keep(a_, gather_rows(a_.var, rows));
    keep(e_, gather_rows(e_.var, rows));
    keep(b_, transpose(gather_rows(transpose(b_.var), rows)));
    return kept;
  }
  Triplets triplets() { return {&a_, &e_, &b_}; }

 private:
  Parameter a_, e_, b_;
  float scale_, dropout_;
  const Model& model_;
};

class AdaLora : public LinearMethod {
 public:
  explicit AdaLora(const Settings& settings)
      : LinearMethod(settings),
        init_r_(settings.integer("init_r", 1, 1 << 16)),
        weight_(settings.number("orth_reg_weight", 0, 1e6)) {
    budget_.target_r = settings.integer("target_r", 1, init_r_);
    budget_.t_init = settings.integer("tinit", 0, INT32_MAX);
    budget_.t_final = settings.integer("tfinal", 0, INT32_MAX);
    budget_.interval = settings.integer("deltaT", 1, INT32_MAX);
    budget_.beta1 = settings.number("beta1", 1e-9, 1 - 1e-9);
    budget_.beta2 = settings.number("beta2", 1e-9, 1 - 1e-9);
    if (settings.has("total_step")) budget_.total = settings.integer("total_step", 1, INT32_MAX);
  }

  void start_training(int64_t total) override {
    require(!settings_.has("total_step") || budget_.total == total,
            "{}: total_step is {}, but the run has {} steps", settings_.source(), budget_.total,
            total);
    budget_.total = total;
    settings_.set("total_step", total);
    require(budget_.t_init + budget_.t_final < total,
            "AdaLoRA: tinit {} and tfinal {} leave no step of the run's {} to prune in; make them "
            "smaller, or train longer",
            budget_.t_init, budget_.t_final, total);
    start_budget();
  }
  Var penalty() override {
    std::vector<Var> norms;
    for (const auto& part : parts_) part->add_norms(norms);
    if (norms.empty() || weight_ == 0) return {};
    Var total = norms[0];
    for (size_t i = 1; i < norms.size(); ++i) total = add(total, norms[i]);
    return lk::scale(total, static_cast<float>(weight_ / static_cast<double>(norms.size())));
  }
  void after_update(int64_t step) override {
    start_budget();
    const int64_t last = budget_.total - budget_.t_final;
    if (step < last) budget_.score();
    budget_.allocate(step, step == last);
  }
  void finish_training() override {
    // With tfinal 0 no update comes after the schedule's end, and pruned λ may have moved since the
    // last allocation.
    if (budget_.t_final == 0) budget_.allocate(budget_.total, true);
    nlohmann::json pattern = nlohmann::json::object();
    for (size_t i = 0; i < parts_.size(); ++i)
      pattern[sites_[i].linear->name() + ".lora_E"] = parts_[i]->drop_zeros();
    settings_.set("rank_pattern", pattern);
  }
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    start_budget();
    budget_.visit_state(f);
  }

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const auto part = std::make_shared<AdaLoraPart>(
        place, rank_in_file(place.module), init_r_, settings_.number("lora_alpha", 0, 1e9),
        static_cast<float>(settings_.number("lora_dropout", 0, 0.99)));
    require(init_r_ <= std::min(place.in, place.out),
            "{}: init_r {} is above the rank of '{}', a [{}, {}] matrix", settings_.source(),
            init_r_, place.module, place.out, place.in);
    parts_.push_back(part);
    return part;
  }

 private:
  // A finished adapter holds fewer: rank_pattern says for each λ of the start whether it was kept.
  int64_t rank_in_file(const std::string& module) const {
    const std::string key = module + ".lora_E";
    if (!settings_.has("rank_pattern") || !settings_.json()["rank_pattern"].contains(key))
      return init_r_;
    const auto& kept = settings_.json()["rank_pattern"][key];
    require(kept.is_array() && kept.size() <= static_cast<size_t>(init_r_),
            "{}: rank_pattern of '{}' is {}; expected up to {} booleans", settings_.source(), key,
            kept.dump(), init_r_);
    return std::count(kept.begin(), kept.end(), true);
  }
  void start_budget() {
    if (!budget_.empty()) return;
    for (const auto& part : parts_) budget_.add(part->triplets());
  }
  int64_t init_r_;
  double weight_;
  Budget budget_;
  std::vector<std::shared_ptr<AdaLoraPart>> parts_;
};

}  // namespace

MethodInfo adalora_info() {
  return {
      "adalora",
      "ADALORA",
      "LoRA as a pruned singular value decomposition",
      "Zhang et al. 2023, arXiv:2303.10512",
      2e-3,
      with_target_options({{"init-rank", "init_r", "12", "triplets of each matrix at the start"},
                           {"target-rank", "target_r", "8", "mean of them at the end"},
                           {"alpha", "lora_alpha", "16", "the sum is scaled by alpha / init-rank"},
                           {"dropout", "lora_dropout", "0.0", "dropout on the input of Q"},
                           {"orth", "orth_reg_weight", "0.5", "weight of the orthogonality term"},
                           {"tinit", "tinit", "0", "steps before the pruning begins"},
                           {"tfinal", "tfinal", "0", "steps at the end with the final budget"},
                           {"delta-t", "deltaT", "1", "steps between allocations"},
                           {"importance-beta1", "beta1", "0.85", "smoothing of the sensitivity"},
                           {"importance-beta2", "beta2", "0.85", "smoothing of its uncertainty"},
                           {"", "total_step", "null", ""},
                           {"", "rank_pattern", "null", ""},
                           {"", "r", "8", ""}}),
      make_method<AdaLora>};
}

}  // namespace lk
