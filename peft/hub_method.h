// A method whose parts AdapterHub knows: its settings are an AdapterHub configuration.
#pragma once

#include "peft/layer_map.h"
#include "peft/method.h"

namespace lk {

// config: AdapterHub's for this method, one part or {"architecture": "union", "configs": [...]}.
std::unique_ptr<Method> make_hub_method(const Settings& settings, const nlohmann::json& config);

// AdapterHub's defaults of a bottleneck adapter, with `changes`; the same for a prefix and a LoRA.
nlohmann::json hub_bottleneck(const nlohmann::json& changes);
nlohmann::json hub_prefix(const nlohmann::json& changes);
nlohmann::json hub_lora(const nlohmann::json& changes);

// Any configuration as JSON text; what folders are read as.
MethodInfo adapterhub_info();

// UniPELT's gates: what each gave to the documents of all passes without a tape so far, those that
// pad a batch too.
struct GateReport {
  std::string part, name;  // "lora"; of the gate's weight
  std::vector<float> of_documents;
};
std::vector<GateReport> gates_of(Method& method);  // empty for methods without gates
// Their means over the documents by layer and place.
LayerMap gate_map(const std::vector<GateReport>& gates);

}  // namespace lk
