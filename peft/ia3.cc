// (IA)^3: Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning
// (Liu et al. 2022, arXiv:2205.05638), section 3.3:
//   k <- l_k * (W_k x)    v <- l_v * (W_v x)    h = W_2 (l_ff * f(W_1 x))
// l_k, l_v [out], l_ff [in of W_2], all ones at the start. Trained: d_k + d_v + d_ff for each
// layer. HF PEFT keeps l as [out, 1], and as [1, in] where it scales what goes in
// (feedforward_modules).
//
// `variant` says where the vectors of a new adapter go. hf: HF PEFT's table. original: k, v and the
// input of the second FFN matrix (the authors scale the output of wi_1, which is the same in a
// gated FFN). adapterhub: k, v and the output of the first FFN matrix, but the output of down_proj
// in Llama.
#include "peft/ia3.h"

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class Ia3Part : public LinearAdapter {
 public:
  Ia3Part(const Place& place, bool on_input)
      : l_(place.parameter(
            "ia3_l", place.constant(on_input ? Shape{1, place.in} : Shape{place.out, 1}, 1.0))),
        on_input_(on_input) {}
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    return on_input_ ? inner(mul_row(x, l_.var)) : mul_row(inner(x), l_.var);
  }
  void visit(const ParameterVisitor& f) override { f(l_); }

 private:
  Parameter l_;
  bool on_input_;
};

struct Where {
  std::vector<std::string> targets, feedforward;
};

Where hf_table(const std::string& type) {
  if (type == "gpt2") return {{"c_attn", "mlp.c_proj"}, {"mlp.c_proj"}};
  if (type == "bert" || type == "roberta")
    return {{"key", "value", "output.dense"}, {"output.dense"}};
  if (type == "t5") return {{"k", "v", "wo"}, {"wo"}};
  if (type == "qwen2" || type == "qwen3") return {{"q_proj", "v_proj", "down_proj"}, {"down_proj"}};
  return {{"k", "v", "down"}, {"down"}};  // roles
}

class Ia3 : public LinearMethod {
 public:
  explicit Ia3(const Settings& settings)
      : LinearMethod(settings),
        variant_(settings.has("variant") ? settings.text("variant") : "hf") {
    require(variant_ == "hf" || variant_ == "original" || variant_ == "adapterhub",
            "{}: 'variant' is '{}'; expected hf, original or adapterhub", settings.source(),
            variant_);
  }

  void attach(Model& model, uint64_t seed) override {
    feedforward_ = settings_.has("feedforward_modules")
                       ? (settings_.is_text("feedforward_modules")
                              ? std::vector<std::string>{settings_.text("feedforward_modules")}
                              : settings_.texts("feedforward_modules"))
                       : where(model).feedforward;
    LinearMethod::attach(model, seed);
    std::vector<std::string> scaled_inputs;
    for (const Site& s : sites_)
      if (on_input(*s.linear)) scaled_inputs.push_back(s.linear->name());
    if (!settings_.has("feedforward_modules")) settings_.set("feedforward_modules", scaled_inputs);
  }

 protected:
  std::vector<std::string> usual_targets(const Model& model) const override {
    return where(model).targets;
  }
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    return std::make_shared<Ia3Part>(place, on_input(*place.linear));
  }

 private:
  Where where(const Model& model) const {
    const std::string type = model.info().model_type;
    if (variant_ == "hf") return hf_table(type);
    require(
        type != "gpt2",
        "(IA)3, variant {}: GPT-2's q, k and v are one layer, so that k and v have no vectors of "
        "their own; use the variant hf",
        variant_);
    if (variant_ == "original") return {{"k", "v", "down"}, {"down"}};
    return {{"k", "v", type == "llama" ? "down" : "up"}, {}};
  }
  bool on_input(const Linear& linear) const {
    return is_named(linear.name(), feedforward_) ||
           std::find(feedforward_.begin(), feedforward_.end(), name_of(linear.role())) !=
               feedforward_.end();
  }
  std::string variant_;
  std::vector<std::string> feedforward_;
};

}  // namespace

MethodInfo ia3_info() {
  return {"ia3",
          "IA3",
          "vectors that scale keys, values and the FFN's inner activations",
          "Liu et al. 2022, arXiv:2205.05638",
          3e-3,
          with_target_options({{"feedforward-modules", "feedforward_modules", "null",
                                "those of the targets whose input is scaled, not the output"},
                               {"", "variant", "\"hf\"", "hf, original or adapterhub"},
                               {"", "init_ia3_weights", "true", ""}},
                              false),
          make_method<Ia3>};
}

}  // namespace lk
