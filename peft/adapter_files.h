// Adapters as HF PEFT keeps them (adapter_config.json and adapter_model.safetensors, or .bin) or,
// where HF PEFT has no such method, as AdapterHub does (adapter_config.json, adapter.safetensors
// and model_head.safetensors). What is read tells which by its adapter_config.json.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "peft/method.h"

namespace lk {

// Writes what is trained. base: the model folder, noted as base_model_name_or_path; labels: the
// classes of a classification head.
void save_adapter(const std::filesystem::path& folder, Model& model, Method& method,
                  const MethodInfo& info, const std::string& base,
                  const std::vector<std::string>& labels);

struct AdapterConfig {
  const MethodInfo* info;
  Settings settings;
  std::string base;                 // base_model_name_or_path
  std::vector<std::string> labels;  // of the head; empty for language models
};
// Error when adapter_config.json is missing, or its method or a field that changes the result is
// not known.
AdapterConfig read_adapter_config(const std::filesystem::path& folder);

// The folders of the adapters that it was trained on top of, the lowest first ("lorikeet" in its
// adapter_config.json); Error where they are not text.
std::vector<std::string> stacked_on(const Settings& settings);
void stack_on(Settings& settings, const std::vector<std::string>& folders);
// Attaches them. Error when one lies below itself.
std::vector<std::unique_ptr<Method>> load_below(const Settings& settings, Model& model);

// Attaches the adapter to the model, after those it is stacked on (Method::below). Every tensor
// must fit, none may be missing or left over.
std::unique_ptr<Method> load_adapter(const std::filesystem::path& folder,
                                     const AdapterConfig& config, Model& model);

}  // namespace lk
