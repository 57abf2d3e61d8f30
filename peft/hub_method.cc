#include "peft/hub_method.h"

#include <nlohmann/json.hpp>

#include "peft/hub_part.h"
#include "peft/inserted_method.h"

namespace lk {
namespace {

using nlohmann::json;

json merged(json base, const json& changes) {
  base.update(changes);
  return base;
}

// Whether a parameter belongs to a norm, by the names that architectures give them.
bool is_norm(const std::string& parameter) {
  const std::string module = parameter.substr(0, parameter.rfind('.'));
  const std::string last = module.substr(module.rfind('.') + 1);
  return last.find("orm") != std::string::npos || last.rfind("ln_", 0) == 0;
}

class HubMethod : public InsertedMethod {
 public:
  HubMethod(const Settings& settings, const json& config) : settings_(settings) {
    if (!settings_.has("adapterhub")) {
      json file{{"config", config}, {"name", "lorikeet"}, {"version", "adapters.1.3.0"}};
      file["config"].erase("init_std");  // AdapterHub knows none, and it has done its work
      if (settings_.boolean("train_norms")) file["lorikeet"] = {{"train_norms", true}};
      settings_.set("adapterhub", file);
    }
    if (!config.is_object() || config.value("architecture", json()) != "union") {
      parts_.push_back(make_hub_part(Settings(config, settings_.source())));
      return;
    }
    require(config.contains("configs") && config["configs"].is_array(),
            "{}: the union's 'configs' is missing; expected a list", settings_.source());
    for (const json& part : config["configs"])
      parts_.push_back(make_hub_part(Settings(part, settings_.source())));
  }
  void attach(Model& model, uint64_t seed) override {
    remember(model);
    json file = settings_.json()["adapterhub"];
    const bool named = file.contains("name") && file["name"].is_string();
    const HubNames names(model, named ? file["name"].get<std::string>() : "lorikeet");
    if (!model.info().causal) {  // one and the same there
      file["config"].erase("parallel_input");
      if (file["config"].contains("configs"))
        for (json& part : file["config"]["configs"])
          if (part.is_object()) part.erase("parallel_input");
    }
    settings_.set("adapterhub", file);
    for (const auto& part : parts_) part->attach(model, names, seed++);
    match_precision(model);
  }
  void visit(const ParameterVisitor& f) override {
    for (const auto& part : parts_) part->visit(f);
  }
  void write(std::vector<NamedTensor>& file) override {
    for (const auto& part : parts_) part->write(file);
  }
  void read(AdapterTensors& file) override {
    for (const auto& part : parts_) part->read(file);
  }
  // Houlsby et al. train the base's norms too.
  bool selects(const std::string& parameter) const override {
    return settings_.boolean("train_norms") && is_norm(parameter);
  }
  std::string file_name(const std::string& parameter) const override { return parameter; }
  void merge(Model&) override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      try {
        parts_[i]->merge();
      } catch (const Error&) {
        while (i-- > 0) parts_[i]->unmerge();  // all or none
        throw;
      }
    }
  }
  void unmerge(Model&) override {
    for (const auto& part : parts_) part->unmerge();
  }
  const Settings& settings() const override { return settings_; }
  const std::vector<std::unique_ptr<HubPart>>& parts() const { return parts_; }

 private:
  Settings settings_;
  std::vector<std::unique_ptr<HubPart>> parts_;
};

}  // namespace

json hub_bottleneck(const json& changes) {
  return merged(json{{"mh_adapter", false},
                     {"output_adapter", true},
                     {"reduction_factor", 16},
                     {"non_linearity", "relu"},
                     {"original_ln_before", true},
                     {"original_ln_after", true},
                     {"ln_before", false},
                     {"ln_after", false},
                     {"init_weights", "bert"},
                     {"init_weights_seed", nullptr},
                     {"is_parallel", false},
                     {"scaling", 1.0},
                     {"use_gating", false},
                     {"residual_before_ln", true},
                     {"adapter_residual_before_ln", false},
                     {"inv_adapter", nullptr},
                     {"inv_adapter_reduction_factor", nullptr},
                     {"cross_adapter", false},
                     {"leave_out", json::array()},
                     {"dropout", 0.0},
                     {"phm_layer", false},
                     {"phm_dim", 4},
                     {"factorized_phm_W", true},
                     {"shared_W_phm", false},
                     {"shared_phm_rule", true},
                     {"factorized_phm_rule", false},
                     {"phm_c_init", "normal"},
                     {"phm_init_range", 0.0001},
                     {"learn_phm", true},
                     {"hypercomplex_nonlinearity", "glorot-uniform"},
                     {"phm_rank", 1},
                     {"phm_bias", true},
                     {"stochastic_depth", 0.0}},
                changes);
}

json hub_prefix(const json& changes) {
  return merged(json{{"architecture", "prefix_tuning"},
                     {"encoder_prefix", true},
                     {"cross_prefix", true},
                     {"leave_out", json::array()},
                     {"flat", false},
                     {"prefix_length", 30},
                     {"bottleneck_size", 512},
                     {"non_linearity", "tanh"},
                     {"dropout", 0.0},
                     {"use_gating", false},
                     {"shared_gating", true},
                     {"init_weights_seed", nullptr}},
                changes);
}

json hub_lora(const json& changes) {
  return merged(json{{"architecture", "lora"},
                     {"selfattn_lora", true},
                     {"intermediate_lora", false},
                     {"output_lora", false},
                     {"leave_out", json::array()},
                     {"r", 8},
                     {"alpha", 8},
                     {"dropout", 0.0},
                     {"attn_matrices", {"q", "v"}},
                     {"composition_mode", "add"},
                     {"init_weights", "lora"},
                     {"init_weights_seed", nullptr},
                     {"use_gating", false},
                     {"use_dora", false},
                     {"vera_d", nullptr},
                     {"vera_b", nullptr},
                     {"dtype", nullptr}},
                changes);
}

std::unique_ptr<Method> make_hub_method(const Settings& settings, const json& config) {
  return std::make_unique<HubMethod>(settings, config);
}

std::vector<GateReport> gates_of(Method& method) {
  std::vector<GateReport> out;
  const auto* hub = dynamic_cast<HubMethod*>(&method);
  if (!hub) return out;
  const auto add = [&](const std::string& part, const Gate& gate) {
    // One for each of the matrices that share a layer: GPT-2's q and v.
    const auto heads = static_cast<size_t>(gate.heads());
    for (size_t k = 0; k < heads; ++k) {
      GateReport& r = out.emplace_back(
          GateReport{heads > 1 ? fmt::format("{} {}", part, k + 1) : part, gate.name(), {}});
      for (size_t i = k; i < gate.noted().size(); i += heads)
        r.of_documents.push_back(gate.noted()[i]);
    }
  };
  for (const auto& part : hub->parts()) part->visit_gates(add);
  return out;
}

LayerMap gate_map(const std::vector<GateReport>& gates) {
  std::vector<NamedNumber> means;
  for (const GateReport& g : gates) {
    double sum = 0;
    for (const float v : g.of_documents) sum += static_cast<double>(v);
    // The place is the module: what stands behind is how the adapter's file goes on.
    std::string module = g.name;
    for (const char* end : {".adapters.", ".loras.", ".prefix_tuning."})
      module = module.substr(0, module.find(end));
    means.push_back({module, g.part, sum / static_cast<double>(g.of_documents.size())});
  }
  return layer_map("gate", means);
}

MethodInfo adapterhub_info() {
  return {"adapterhub",
          "",
          "an AdapterHub configuration of bottleneck, prefix, LoRA and prompt parts",
          "Poth et al. 2023, arXiv:2311.11077",
          1e-4,
          {{"adapter-config", "adapter_config", "\"\"",
            "AdapterHub's configuration as JSON text, the \"config\" of its adapter_config.json"}},
          [](const Settings& settings) {
            if (settings.has("adapterhub"))
              return make_hub_method(settings, settings.json()["adapterhub"]["config"]);
            require(settings.has_text("adapter_config"), "{}: pass --adapter-config",
                    settings.source());
            const json config = json::parse(settings.text("adapter_config"), nullptr, false);
            require(config.is_object(), "{}: adapter_config is no JSON object", settings.source());
            const json kind = config.value("architecture", json());
            return make_hub_method(settings, kind == "union" || kind == "prompt_tuning" ? config
                                             : kind == "prefix_tuning" ? hub_prefix(config)
                                             : kind == "lora"          ? hub_lora(config)
                                                                       : hub_bottleneck(config));
          }};
}

}  // namespace lk
