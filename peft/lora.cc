// LoRA: Low-Rank Adaptation of Large Language Models (Hu et al. 2021, arXiv:2106.09685), eq. 3:
//   h = W0 x + s B A x         A [r, in], B [out, r], s = alpha / r
// A starts Kaiming-uniform, U(-1/sqrt(in), 1/sqrt(in)), as the authors' code has it, and B at zero,
// so that training starts from the base. Of an embedding E: row i is E_i + s B A_:i, A [r, V] = 0,
// B [d, r] ~ N(0, 1). Trained: r (in + out) numbers for each layer.
//
// rsLoRA (Kalajdzievski 2023, arXiv:2312.03732): s = alpha / sqrt(r).
// LoRA+ (Hayou et al. 2024, arXiv:2402.12354): B learns `loraplus_lr_ratio` times as fast as A.
// DoRA: peft/dora.cc. PiSSA, OLoRA and LoftQ: peft/lora_start.cc.
#include "peft/lora.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "peft/lora_part.h"

namespace lk {
namespace {

class LoraEmbedding : public EmbeddingAdapter {
 public:
  LoraEmbedding(Place& place, int64_t r, double scale)
      : a_(place.parameter("lora_embedding_A", place.constant({r, place.in}, 0))),
        b_(place.parameter("lora_embedding_B", place.normal({place.out, r}, 1.0))),
        scale_(static_cast<float>(scale)) {}
  Var forward(const Embedding&, std::span<const int32_t> ids, const Inner& inner) override {
    const Var base = inner(ids);
    const Var u = embedding(transpose(a_.var), ids, base.dtype());  // [T, r]
    return add(base, lk::scale(linear(u, b_.var), scale_));
  }
  void visit(const ParameterVisitor& f) override { f(a_), f(b_); }

 private:
  Parameter a_, b_;
  float scale_;
};

class Lora : public LinearMethod {
 public:
  explicit Lora(const Settings& settings)
      : LinearMethod(settings),
        start_(settings.has("init_lora_weights") ? text_of("init_lora_weights") : "true"),
        dropout_(static_cast<float>(settings.number("lora_dropout", 0, 0.99))),
        rank_stabilized_(settings.boolean("use_rslora")),
        dora_(settings.boolean("use_dora")),
        ratio_(settings.has("loraplus_lr_ratio") ? settings.number("loraplus_lr_ratio", 1e-3, 1e6)
                                                 : 1.0),
        loftq_(loftq_config()) {}
  double lr_scale(const std::string& parameter) const override {
    return parameter.ends_with(".lora_B.weight") ? ratio_ : 1.0;
  }

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = rank_of(settings_, "r", place);
    const double scale = scale_of(place, r);
    const LoraStart start = lora_start(place, start_, r, scale, loftq_);
    if (start.new_weight.defined()) {
      base_replaced(*place.linear, place.linear->weight().snapshot());
      place.linear->weight().assign(start.new_weight);
    }
    if (start_ == "loftq" && loftq_.iterations == 1) {
      // The base is the one that quantizing gives: it is plain LoRA from now on.
      settings_.set("init_lora_weights", true);
      settings_.set("loftq_config", nlohmann::json::object());
    }
    if (dora_) return make_dora_part(place, start, scale, dropout_);
    return std::make_shared<LoraPart>(place, start, scale, dropout_);
  }
  std::shared_ptr<EmbeddingAdapter> make_embedding_part(Place& place) override {
    require(!dora_, "{}: use_dora works in linear layers; target_modules names the embedding '{}'",
            settings_.source(), place.module);
    const int64_t r = rank_of(settings_, "r", place);
    return std::make_shared<LoraEmbedding>(place, r, scale_of(place, r));
  }

 private:
  // A JSON value as text: true, false, or what a string holds.
  std::string text_of(const std::string& key) const {
    return settings_.is_text(key) ? settings_.text(key) : settings_.json()[key].dump();
  }
  LoftqConfig loftq_config() const {
    LoftqConfig out;
    if (!settings_.has("loftq_config")) return out;
    const nlohmann::json& given = settings_.json()["loftq_config"];
    require(given.is_object(), "{}: 'loftq_config' is {}; expected an object", settings_.source(),
            given.dump());
    const Settings config(given, settings_.source() + ": loftq_config");
    for (const auto& [key, value] : given.items())
      require(key == "loftq_bits" || key == "loftq_iter",
              "{}: '{}' is not known; expected loftq_bits and loftq_iter", config.source(), key);
    if (config.has("loftq_bits")) out.bits = config.integer("loftq_bits", 4, 8);
    if (config.has("loftq_iter")) out.iterations = config.integer("loftq_iter", 1, 1000);
    return out;
  }
  double scale_of(const Place& place, int64_t r) const {
    const double alpha = pattern_value(settings_, "alpha_pattern", place.module,
                                       settings_.number("lora_alpha", 0, 1e9));
    const auto rank = static_cast<double>(r);
    return alpha / (rank_stabilized_ ? std::sqrt(rank) : rank);
  }
  std::string start_;
  float dropout_;
  bool rank_stabilized_, dora_;
  double ratio_;
  LoftqConfig loftq_;
};

}  // namespace

MethodInfo lora_info() {
  return {"lora",
          "LORA",
          "a low-rank sum beside frozen linear layers; also DoRA, PiSSA, OLoRA, LoftQ, LoRA+",
          "Hu et al. 2021, arXiv:2106.09685",
          1e-3,
          with_target_options(
              {{"rank", "r", "8", "rank of A and B"},
               {"alpha", "lora_alpha", "16", "the sum is scaled by alpha / rank"},
               {"dropout", "lora_dropout", "0.0", "dropout on the input of A"},
               {"rslora", "use_rslora", "false", "scale by alpha / sqrt(rank)"},
               {"dora", "use_dora", "false", "DoRA: a magnitude for each output, trained apart"},
               {"init", "init_lora_weights", "true",
                "where A and B start: true, false, gaussian, orthogonal, pissa, olora, loftq"},
               {"loftq-config", "loftq_config", "{}",
                "of init loftq: {\"loftq_bits\": 4, \"loftq_iter\": 1}"},
               {"lora-plus", "loraplus_lr_ratio", "1.0", "LoRA+: the rate of B over that of A"},
               {"rank-pattern", "rank_pattern", "{}", "ranks of modules: {\"q_proj\": 4}"},
               {"alpha-pattern", "alpha_pattern", "{}", "alphas of modules, likewise"}}),
          make_method<Lora>};
}

}  // namespace lk
