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

// Attaches the adapter to the model. Every tensor must fit, none may be missing or left over.
std::unique_ptr<Method> load_adapter(const std::filesystem::path& folder,
                                     const AdapterConfig& config, Model& model);

}  // namespace lk
