// A method whose parts AdapterHub knows: its settings are an AdapterHub configuration.
#pragma once

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

// The gates by place (UniPELT), averaged over the documents of all passes without a tape so far;
// empty for methods without gates.
std::vector<std::pair<std::string, double>> mean_gates(Method& method);

}  // namespace lk
