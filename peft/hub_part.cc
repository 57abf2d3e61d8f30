#include "peft/hub_part.h"

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/bottleneck.h"
#include "peft/initial.h"
#include "peft/invertible.h"
#include "peft/prefix_encoder.h"

namespace lk {

void HubPart::write(std::vector<NamedTensor>& file) {
  visit([&](Parameter& p) { file.push_back({p.name, p.var.value()}); });
}

void HubPart::read(AdapterTensors& file) {
  visit([&](Parameter& p) { file.take(p.name, p); });
}

namespace {

[[noreturn]] void cannot_merge(const std::string& what, const std::string& why) {
  fail("{} cannot be merged: {}; use the adapter beside its base", what, why);
}

class BottleneckPart : public HubPart {
 public:
  explicit BottleneckPart(const Settings& config) : config_(config), options_(config) {}
  void attach(Model& model, const HubNames& names, uint64_t seed) override {
    adapters_.attach(model, options_, names.adapter(), seed);
    if (!config_.has("inv_adapter")) return;
    coupling_ =
        std::make_shared<NiceCoupling>(names.invertible(), model.info().hidden_size, config_);
    coupling_->initialise(seed + 1);
    plug_in(model, coupling_);
  }
  void visit(const ParameterVisitor& f) override {
    adapters_.visit(f);
    if (coupling_) coupling_->visit(f);
  }
  // torch's Sequential names a norm before the adapter twice.
  void write(std::vector<NamedTensor>& file) override {
    HubPart::write(file);
    for (size_t i = 0, n = file.size(); i < n; ++i)
      if (const std::string other = second_name(file[i].name); !other.empty())
        file.push_back({other, file[i].tensor});
  }
  void read(AdapterTensors& file) override {
    HubPart::read(file);
    visit([&](Parameter& p) {
      if (const std::string other = second_name(p.name); !other.empty()) file.take(other, p.shape);
    });
  }
  void merge() override { cannot_merge("a bottleneck adapter", "it is not linear"); }
  void visit_gates(const GateVisitor& f) override {
    if (!options_.gated) return;
    for (size_t l = 0; l < adapters_.all().size(); ++l)
      f(fmt::format("adapter {}", l), adapters_.all()[l]->gate());
  }

 private:
  static std::string second_name(const std::string& name) {
    const std::string part = "adapter_norm_before.";
    const size_t at = name.find(part);
    if (at == std::string::npos) return "";
    return name.substr(0, at) + "adapter_down.0." + name.substr(at + part.size());
  }
  Settings config_;
  BottleneckOptions options_;
  Bottlenecks adapters_;
  std::shared_ptr<NiceCoupling> coupling_;
};

// A prefix that each document takes to its own degree: both its keys and its values are scaled.
class GatedPrefix : public KvAdapter {
 public:
  GatedPrefix(std::shared_ptr<PrefixEncoder> encoder, int64_t layer, const bool* training,
              Gate gate)
      : encoder_(std::move(encoder)), layer_(layer), training_(training), gate_(std::move(gate)) {}
  KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) override {
    const auto [k, v] = encoder_->layer(layer_);
    const auto documents = static_cast<int64_t>(offsets.size()) - 1, length = k.dim(0);
    const float p = *training_ ? encoder_->shape().dropout : 0.0f;
    std::vector<int32_t> rows, bounds{0};
    for (int64_t b = 0; b < documents; ++b) {
      for (int64_t i = 0; i < length; ++i) rows.push_back(static_cast<int32_t>(i));
      bounds.push_back(static_cast<int32_t>(rows.size()));
    }
    const Var g = gate_(x, offsets);
    const auto gated = [&](const Var& one) {
      return times_document(gather_rows(cast(dropout(one, p), x.dtype()), rows), g, bounds);
    };
    return {gated(k), gated(v), true};
  }
  void visit(const ParameterVisitor& f) override { gate_.visit(f); }
  const Gate& gate() const { return gate_; }

 private:
  std::shared_ptr<PrefixEncoder> encoder_;
  int64_t layer_;
  const bool* training_;  // the model's flag
  Gate gate_;
};

class PrefixPart : public HubPart {
 public:
  explicit PrefixPart(const Settings& config) : config_(config) {
    require(config.text("non_linearity") == "tanh",
            "{}: a prefix's non_linearity is '{}'; only "
            "tanh is supported",
            config.source(), config.text("non_linearity"));
    require(!config.boolean("use_gating") || config.boolean("shared_gating"),
            "{}: shared_gating = false is not supported", config.source());
    require(!config.has("leave_out") || config.json()["leave_out"].empty(),
            "{}: leave_out is not supported for a prefix", config.source());
  }
  void attach(Model& model, const HubNames& names, uint64_t seed) override {
    const ModelInfo& info = model.info();
    encoder_ = std::make_shared<PrefixEncoder>(PrefixShape{
        .length = config_.integer("prefix_length", 1, info.max_positions),
        .embedding_dim = info.hidden_size,
        .hidden = config_.boolean("flat") ? 0 : config_.integer("bottleneck_size", 1, 1 << 16),
        .layers = info.layers,
        .kv_dim = info.kv_heads * info.head_dim,
        .dropout = static_cast<float>(config_.number("dropout", 0, 0.99))});
    encoder_->initialise(1.0, seed);
    places_ = names.prefixes();
    for (int64_t l = 0; l < info.layers; ++l) {
      std::shared_ptr<KvAdapter>& place = model.blocks()[static_cast<size_t>(l)].kv;
      if (!config_.boolean("use_gating")) {
        place = std::make_shared<PrefixAdapter>(encoder_, l, &model.training);
        continue;
      }
      Gate gate(names.prefix_gate(static_cast<size_t>(l)), info.hidden_size);
      gate.initialise(seed, static_cast<uint64_t>(1000 + l));
      gated_.push_back(
          std::make_shared<GatedPrefix>(encoder_, l, &model.training, std::move(gate)));
      place = gated_.back();
    }
  }
  void visit(const ParameterVisitor& f) override {
    encoder_->visit(f);
    for (const auto& g : gated_) g->visit(f);
  }
  void write(std::vector<NamedTensor>& file) override {
    for (const std::string& place : places_) {
      if (encoder_->has_mlp()) {
        encoder_->write_mlp(file, [&](const std::string& part) { return spelling(place, part); });
      } else {
        const Tensor values = encoder_->values();
        file.push_back({place + "control_trans", values.view({values.numel()})});
      }
    }
    for (const auto& g : gated_)
      g->visit([&](Parameter& p) { file.push_back({p.name, p.var.value()}); });
  }
  void read(AdapterTensors& file) override {
    const PrefixShape s = encoder_->shape();
    for (const std::string& place : places_) {
      if (encoder_->has_mlp()) {
        encoder_->read_mlp(file, [&](const std::string& part) { return spelling(place, part); });
      } else {
        const Shape shape{s.length, s.layers * 2 * s.kv_dim};
        encoder_->set_values(file.take(place + "control_trans", {shape.numel()}).view(shape));
      }
    }
    for (const auto& g : gated_) g->visit([&](Parameter& p) { file.take(p.name, p); });
  }
  void merge() override { cannot_merge("a prefix", "no weight of the base can hold it"); }
  void visit_gates(const GateVisitor& f) override {
    for (size_t l = 0; l < gated_.size(); ++l) f(fmt::format("prefix {}", l), gated_[l]->gate());
  }

 private:
  static std::string spelling(const std::string& place, const std::string& part) {
    return place + (part == "embedding.weight" ? "wte.weight" : "control_trans" + part.substr(9));
  }
  Settings config_;
  std::shared_ptr<PrefixEncoder> encoder_;
  std::vector<std::shared_ptr<GatedPrefix>> gated_;
  std::vector<std::string> places_;
};

// AdapterHub's prompt: put before the finished embeddings, so it has neither position nor norm.
struct HubPrompt : EmbeddedAdapter {
  Parameter values;
  Var forward(const Var& embedded, Packing& packing) override {
    return put_before(values.var, embedded, packing);
  }
  void visit(const ParameterVisitor& f) override { f(values); }
};

class PromptPart : public HubPart {
 public:
  explicit PromptPart(const Settings& config) : config_(config) {
    require(config.text("combine") == "prefix", "{}: combine is '{}'; only prefix is supported",
            config.source(), config.text("combine"));
  }
  void attach(Model& model, const HubNames& names, uint64_t seed) override {
    require(!model.info().causal,
            "{}: AdapterHub's prompt tuning is for encoders; use --method prompt",
            config_.source());
    prompt_->values =
        Parameter(names.prompt() + "prompt_embedding.weight",
                  {config_.integer("prompt_length", 1, 1 << 16), model.info().hidden_size});
    fill_uniform(prompt_->values, -0.5, 0.5, seed, 1);
    model.embedded_adapters().push_back(prompt_);
  }
  void visit(const ParameterVisitor& f) override { prompt_->visit(f); }
  void merge() override { cannot_merge("a prompt", "no weight of the base can hold it"); }

 private:
  Settings config_;
  std::shared_ptr<HubPrompt> prompt_ = std::make_shared<HubPrompt>();
};

}  // namespace

std::unique_ptr<HubPart> make_hub_part(const Settings& config) {
  const std::string kind =
      config.has("architecture") ? config.text("architecture") : std::string("bottleneck");
  if (kind == "bottleneck") return std::make_unique<BottleneckPart>(config);
  if (kind == "prefix_tuning") return std::make_unique<PrefixPart>(config);
  if (kind == "lora") return make_hub_lora(config);
  if (kind == "prompt_tuning") return std::make_unique<PromptPart>(config);
  fail(
      "{}: architecture '{}' is not supported (supported: bottleneck, prefix_tuning, lora, "
      "prompt_tuning, union)",
      config.source(), kind);
}

}  // namespace lk
