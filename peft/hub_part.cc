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
    for (const auto& adapter : adapters_.all()) f("adapter", adapter->gate());
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
    return {gated(k), gated(v), bounds};
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
    const auto encoder = static_cast<size_t>(model.info().encoder_layers),
               all = model.blocks().size();
    if (encoder > 0 && config_.boolean("encoder_prefix"))
      plug_in(model, names, {"encoder", 0, encoder}, seed + 1);
    plug_in(model, names, {"self", encoder, all}, seed);
    if (encoder > 0 && config_.boolean("cross_prefix"))
      plug_in(model, names, {"cross", encoder, all}, seed + 2);
  }
  void visit(const ParameterVisitor& f) override {
    for (const Prefix& p : prefixes_) {
      p.encoder->visit(f);
      for (const auto& g : p.gated) g->visit(f);
    }
  }
  void write(std::vector<NamedTensor>& file) override {
    for (const Prefix& p : prefixes_) {
      for (const std::string& place : p.names) {
        if (p.encoder->has_mlp()) {
          p.encoder->write_mlp(file,
                               [&](const std::string& part) { return spelling(place, part); });
        } else {
          const Tensor values = p.encoder->values();
          file.push_back({place + "control_trans", values.view({values.numel()})});
        }
      }
      for (const auto& g : p.gated)
        g->visit([&](Parameter& one) { file.push_back({one.name, one.var.value()}); });
    }
  }
  void read(AdapterTensors& file) override {
    for (const Prefix& p : prefixes_) {
      const PrefixShape s = p.encoder->shape();
      for (const std::string& place : p.names) {
        if (p.encoder->has_mlp()) {
          p.encoder->read_mlp(file, [&](const std::string& part) { return spelling(place, part); });
        } else {
          const Shape shape{s.length, s.layers * 2 * s.kv_dim};
          p.encoder->set_values(file.take(place + "control_trans", {shape.numel()}).view(shape));
        }
      }
      for (const auto& g : p.gated) g->visit([&](Parameter& one) { file.take(one.name, one); });
    }
  }
  void merge() override { cannot_merge("a prefix", "no weight of the base can hold it"); }
  void visit_gates(const GateVisitor& f) override {
    for (const Prefix& p : prefixes_)
      for (const auto& g : p.gated) f("prefix", g->gate());
  }

 private:
  // The same attention of blocks [first, last): self, an encoder's own, or a decoder's to the
  // source.
  struct Where {
    std::string kind;
    size_t first, last;
  };
  // Its virtual tokens, and how the file calls them.
  struct Prefix {
    std::string kind;
    std::shared_ptr<PrefixEncoder> encoder;
    std::vector<std::shared_ptr<GatedPrefix>> gated;
    std::vector<std::string> names;
  };

  void plug_in(Model& model, const HubNames& names, const Where& where, uint64_t seed) {
    const ModelInfo& info = model.info();
    const bool cross = where.kind == "cross";
    Prefix& p = prefixes_.emplace_back();
    p.kind = where.kind;
    p.names = names.prefixes(where.kind);
    p.encoder = std::make_shared<PrefixEncoder>(PrefixShape{
        .length = config_.integer("prefix_length", 1, info.max_positions),
        .embedding_dim = info.hidden_size,
        .hidden = config_.boolean("flat") ? 0 : config_.integer("bottleneck_size", 1, 1 << 16),
        .layers = static_cast<int64_t>(where.last - where.first),
        .kv_dim = info.kv_heads * info.head_dim,
        .dropout = static_cast<float>(config_.number("dropout", 0, 0.99))});
    p.encoder->initialise(1.0, seed);
    for (size_t block = where.first; block < where.last; ++block) {
      const auto layer = static_cast<int64_t>(block - where.first);
      Block& hooks = model.blocks()[block];
      std::shared_ptr<KvAdapter>& place = cross ? hooks.cross_kv : hooks.kv;
      if (!config_.boolean("use_gating")) {
        add_prefix(place, std::make_shared<PrefixAdapter>(p.encoder, layer, &model.training));
        continue;
      }
      Gate gate(names.prefix_gate(block, cross), info.hidden_size);
      gate.initialise(seed, static_cast<uint64_t>(1000 + layer));
      p.gated.push_back(
          std::make_shared<GatedPrefix>(p.encoder, layer, &model.training, std::move(gate)));
      add_prefix(place, p.gated.back());
    }
  }

  static std::string spelling(const std::string& place, const std::string& part) {
    return place + (part == "embedding.weight" ? "wte.weight" : "control_trans" + part.substr(9));
  }
  Settings config_;
  std::vector<Prefix> prefixes_;
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
    require(!model.info().causal,  // AdapterHub has none for T5 either
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
