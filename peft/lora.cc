// LoRA: Low-Rank Adaptation of Large Language Models (Hu et al. 2021, arXiv:2106.09685), eq. 3:
//   h = W0 x + (alpha / r) B A x        A [r, in], B [out, r]
// A starts Kaiming-uniform, U(-1/sqrt(in), 1/sqrt(in)), as the authors' code has it, and B at zero,
// so that training starts from the base. rsLoRA (Kalajdzievski 2023) scales by alpha / sqrt(r).
// Trained: r (in + out) numbers for each layer.
#include "peft/lora.h"

#include <cmath>
#include <set>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "engine/rng.h"
#include "peft/targets.h"

namespace lk {
namespace {

class LoraAdapter : public LinearAdapter {
 public:
  LoraAdapter(const Linear& linear, int64_t r, double scale, float dropout)
      : a_("base_model.model." + linear.name() + ".lora_A.weight", {r, linear.in_features()}),
        b_("base_model.model." + linear.name() + ".lora_B.weight", {linear.out_features(), r}),
        scale_(static_cast<float>(scale)),
        dropout_(dropout) {}

  void init(uint64_t seed, uint64_t stream) {
    const CategoryScope weights(Category::weights);
    const double bound = 1.0 / std::sqrt(static_cast<double>(a_.shape[1]));
    Random random(seed, stream);
    Tensor a = Tensor::empty(a_.shape, DType::f32);
    for (float& x : a.span<float>())
      x = static_cast<float>((2.0 * random.uniform53() - 1.0) * bound);
    a_.set(a);
    b_.set(Tensor::zeros(b_.shape, DType::f32));
  }

  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    return low_rank_add(inner(x), dropout(x, *training_ ? dropout_ : 0.0f), a_.var, b_.var, scale_);
  }

  // (alpha / r) B A, [out, in]
  Tensor delta() const {
    Tensor d = Tensor::empty({b_.shape[0], a_.shape[1]}, DType::f32);
    gemm(d, b_.var.value(), a_.var.value(), {.alpha = scale_});
    return d;
  }
  void visit(const ParameterVisitor& f) override { f(a_), f(b_); }
  void watch(const bool* training) { training_ = training; }

 private:
  Parameter a_, b_;
  float scale_, dropout_;
  const bool* training_ = nullptr;  // the model's flag: dropout acts only then
};

class Lora : public Method {
 public:
  explicit Lora(const Settings& settings)
      : settings_(settings), bias_(settings.has("bias") ? settings.text("bias") : "none") {
    require(bias_ == "none" || bias_ == "all" || bias_ == "lora_only",
            "{}: 'bias' is '{}'; expected none, all or lora_only", settings.source(), bias_);
  }

  void attach(Model& model, uint64_t seed) override {
    const int64_t r = settings_.integer("r", 1, 1 << 16);
    const double alpha = settings_.number("lora_alpha", 0, 1e9);
    const bool rank_stabilized = settings_.boolean("use_rslora");
    const auto p = static_cast<float>(settings_.number("lora_dropout", 0, 0.99));
    const double scale =
        alpha / (rank_stabilized ? std::sqrt(static_cast<double>(r)) : static_cast<double>(r));
    uint64_t stream = 1;
    for (Linear* linear : target_linears(model, settings_)) {
      auto adapter = std::make_shared<LoraAdapter>(*linear, r, scale, p);
      adapter->init(seed, stream++);
      adapter->watch(&model.training);
      linear->adapters().push_back(adapter);
      targets_.emplace_back(linear, adapter);
      biases_.insert(linear->name() + ".bias");
    }
  }

  void visit(const ParameterVisitor& f) override {
    for (auto& [linear, adapter] : targets_) adapter->visit(f);
  }

  bool selects(const std::string& parameter) const override {
    if (bias_ == "lora_only") return biases_.count(parameter) > 0;
    return bias_ == "all" && parameter.size() >= 5 &&
           parameter.compare(parameter.size() - 5, 5, ".bias") == 0;
  }

  // HF PEFT wraps a target layer, so its own bias is called base_layer.bias.
  std::string file_name(const std::string& parameter) const override {
    if (!biases_.count(parameter)) return Method::file_name(parameter);
    return "base_model.model." + parameter.substr(0, parameter.size() - 4) + "base_layer.bias";
  }

  void merge(Model&) override {
    for (auto& [linear, adapter] : targets_) {
      Tensor w = linear->weight().dense(DType::f32);
      const Tensor d = adapter->delta();
      for (int64_t i = 0; i < w.numel(); ++i) w.data<float>()[i] += d.data<float>()[i];
      linear->weight().assign(w);
      std::erase(linear->adapters(), std::static_pointer_cast<LinearAdapter>(adapter));
    }
    targets_.clear();
  }

  const Settings& settings() const override { return settings_; }

 private:
  Settings settings_;
  std::string bias_;
  std::vector<std::pair<Linear*, std::shared_ptr<LoraAdapter>>> targets_;
  std::set<std::string> biases_;
};

}  // namespace

MethodInfo lora_info() {
  return {"lora",
          "LORA",
          "a low-rank sum beside frozen linear layers",
          "Hu et al. 2021, arXiv:2106.09685",
          1e-3,
          {{"rank", "r", "8", "rank of A and B"},
           {"alpha", "lora_alpha", "16", "the sum is scaled by alpha / rank"},
           {"lora-dropout", "lora_dropout", "0.0", "dropout on the input of A"},
           {"rslora", "use_rslora", "false", "scale by alpha / sqrt(rank)"},
           {"lora-bias", "bias", "\"none\"", "train biases too: none, all, lora_only"},
           {"target-modules", "target_modules", "null",
            "names of linear layers, comma-separated, or all-linear, or a regular expression"}},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<Lora>(settings);
          }};
}

}  // namespace lk
