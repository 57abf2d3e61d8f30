// AdaMix: Mixture-of-Adaptations for Parameter-efficient Model Tuning (Wang et al. 2022,
// arXiv:2205.12410): M down and M up projections after each FFN; every pass of training takes one
// of each at random, for the whole batch, anew in every layer (section 3.2):
//   h + W_up^j gelu(W_down^i h)               i, j ~ U{1..M}; with share_up there is one W_up
// Two passes over a batch are held together by the symmetric KL divergence of what they predict
// (section 3.3): L + lambda (KL(p1 || p2) + KL(p2 || p1)). After training, and in evaluation, the
// experts' weights are averaged (section 3.4), so that it costs and is saved as one adapter.
// Experts start as copies of one. Trained: M (d b + b) + (b d + d), or M of both, in each block.
#include "peft/adamix.h"

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "peft/hub_method.h"
#include "peft/hub_names.h"
#include "peft/initial.h"
#include "peft/inserted_method.h"

namespace lk {
namespace {

// M projections of one kind, as alternatives.
struct Experts {
  std::vector<Parameter> weights, biases;
  Experts(const std::string& name, int64_t in, int64_t out, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const std::string at = count == 1 ? name : fmt::format("{}{}.", name, i);
      weights.emplace_back(at + "weight", Shape{out, in});
      biases.emplace_back(at + "bias", Shape{out});
    }
  }
  void initialise(uint64_t seed, uint64_t stream) {
    for (Parameter& w : weights) fill_normal(w, 0.02, seed, stream);
    for (Parameter& b : biases) fill(b, 0);
  }
  // One at random in training: the draw takes dropout's stream, so that gradient checkpointing and
  // resumed runs repeat it.
  Var operator()(const Var& x, bool training) const {
    if (weights.size() == 1) return linear(x, weights[0].var, biases[0].var);
    if (!training) return linear(x, average(weights), average(biases));
    DropoutState& state = dropout_state();
    Random random(state.seed, state.next_stream++);
    const size_t i = random.below(static_cast<uint32_t>(weights.size()));
    return linear(x, weights[i].var, biases[i].var);
  }
  static Var average(const std::vector<Parameter>& all) {
    Var total = all[0].var;
    for (size_t i = 1; i < all.size(); ++i) total = add(total, all[i].var);
    return scale(total, 1.0f / static_cast<float>(all.size()));
  }
  void visit(const ParameterVisitor& f) {
    for (size_t i = 0; i < weights.size(); ++i) f(weights[i]), f(biases[i]);
  }
};

class AdaMixBlock : public BlockAdapter {
 public:
  AdaMixBlock(const std::string& module, int64_t d, int64_t b, int64_t count, bool share_up,
              const bool* training)
      : module_(module),
        down_(module + "adapter_down.", d, b, count),
        up_(module + "adapter_up.", b, d, share_up ? 1 : count),
        training_(training) {}
  void initialise(uint64_t seed, uint64_t stream) {
    down_.initialise(seed, stream);
    up_.initialise(seed, stream + 1);
  }
  Var forward(const Var& h, const Sublayer&) override {
    return add(h, up_(gelu(down_(h, *training_)), *training_));
  }
  void visit(const ParameterVisitor& f) override { down_.visit(f), up_.visit(f); }
  // The average, under AdapterHub's names.
  void write(std::vector<NamedTensor>& file) const {
    const NoGrad no_grad;
    file.push_back({module_ + "adapter_down.0.weight", Experts::average(down_.weights).value()});
    file.push_back({module_ + "adapter_down.0.bias", Experts::average(down_.biases).value()});
    file.push_back({module_ + "adapter_up.weight", Experts::average(up_.weights).value()});
    file.push_back({module_ + "adapter_up.bias", Experts::average(up_.biases).value()});
  }

 private:
  std::string module_;
  Experts down_, up_;
  const bool* training_;  // the model's flag
};

class AdaMix : public InsertedMethod {
 public:
  explicit AdaMix(const Settings& settings) : settings_(settings) {}

  void attach(Model& model, uint64_t seed) override {
    remember(model);
    const int64_t d = model.info().hidden_size, count = settings_.integer("experts", 1, 1024);
    const double reduction = settings_.number("reduction_factor", 1.0 / 64, 1e6);
    const int64_t b =
        std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(d) / reduction));
    // What is saved is one adapter of this form.
    settings_.set("adapterhub",
                  nlohmann::json{{"config", hub_bottleneck({{"reduction_factor", reduction},
                                                            {"non_linearity", "gelu"},
                                                            {"original_ln_before", false}})},
                                 {"name", "lorikeet"},
                                 {"version", "adapters.1.3.0"}});
    const HubNames names(model, "lorikeet");
    for (size_t l = 0; l < model.blocks().size(); ++l) {
      blocks_.push_back(std::make_shared<AdaMixBlock>(
          names.output_adapter(l), d, b, count, settings_.boolean("share_up"), &model.training));
      blocks_.back()->initialise(seed, 2 * l + 1);
      model.blocks()[l].ffn_out.push_back(blocks_.back());
    }
    match_precision(model);
  }
  void visit(const ParameterVisitor& f) override {
    for (const auto& block : blocks_) block->visit(f);
  }
  void write(std::vector<NamedTensor>& file) override {
    for (const auto& block : blocks_) block->write(file);
  }
  double consistency() const override { return settings_.number("consistency", 0, 1e6); }
  bool selects(const std::string&) const override { return false; }
  std::string file_name(const std::string& parameter) const override { return parameter; }
  void merge(Model&) override {
    fail(
        "AdaMix's adapters cannot be merged: they are not linear; use the adapter beside its base");
  }
  const Settings& settings() const override { return settings_; }

 private:
  Settings settings_;
  std::vector<std::shared_ptr<AdaMixBlock>> blocks_;
};

}  // namespace

MethodInfo adamix_info() {
  return {"adamix",
          "",
          "several adapters, one at random in each pass, averaged at the end",
          "Wang et al. 2022, arXiv:2205.12410",
          4e-4,
          {{"experts", "experts", "4", "adapters to choose from, M"},
           {"reduction-factor", "reduction_factor", "16", "hidden size over the adapter's width"},
           {"share-up", "share_up", "true", "one up projection for all"},
           {"consistency", "consistency", "1.0",
            "weight of the divergence between two passes; 0: a single pass"}},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<AdaMix>(settings);
          }};
}

}  // namespace lk
