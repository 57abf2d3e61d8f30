#include "peft/adapter_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "engine/files/safetensors.h"

namespace lk {
namespace {

using nlohmann::json;

// The model's own weights that train, with their names in the file.
void visit_selected(Model& model, const Method& method,
                    const std::function<void(const std::string& file_name, Parameter&)>& f) {
  const std::vector<std::string> heads = model.head_modules();
  model.visit_parameters([&](Parameter& p) {
    const bool head = std::any_of(heads.begin(), heads.end(), [&](const std::string& h) {
      return p.name.rfind(h + ".", 0) == 0;
    });
    if (head || method.selects(p.name)) f(method.file_name(p.name), p);
  });
}

// Keys of other methods' or versions' configs that change nothing here when they hold these values.
bool is_neutral(const json& value) {
  return value.is_null() || value == false || (value.is_number() && value == 0) ||
         (value.is_structured() && value.empty());
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{
      "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision",
      "inference_mode", "auto_mapping", "fan_in_fan_out", "init_lora_weights", "modules_to_save",
      "lorikeet", "megatron_core", "qalora_group_size", "labels",
      // What prompt methods note of the base; it follows from the model.
      "token_dim", "num_layers", "num_attention_heads", "num_transformer_submodules",
      "tokenizer_name_or_path", "tokenizer_kwargs"};
  return keys;
}

}  // namespace

void save_adapter(const std::filesystem::path& folder, Model& model, Method& method,
                  const MethodInfo& info, const std::string& base,
                  const std::vector<std::string>& labels) {
  std::filesystem::create_directories(folder);
  json config = method.settings().json();
  config["peft_type"] = info.peft_type.empty() ? "LORIKEET_" + info.name : info.peft_type;
  config["base_model_name_or_path"] = base;
  config["inference_mode"] = true;
  const bool classifier = !model.head_modules().empty();
  config["task_type"] = classifier ? "SEQ_CLS" : "CAUSAL_LM";
  if (classifier) {
    config["modules_to_save"] = model.head_modules();
    config["labels"] = labels;
  }
  config["fan_in_fan_out"] = model.info().model_type == "gpt2";
  std::vector<NamedTensor> tensors;
  method.write(tensors);
  visit_selected(model, method, [&](const std::string& name, Parameter& p) {
    tensors.push_back({name, p.var.value()});
  });
  save_safetensors(folder / "adapter_model.safetensors", tensors);
  write_file_atomically(folder / "adapter_config.json", config.dump(2) + "\n");
}

AdapterConfig read_adapter_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "adapter_config.json";
  const json config = read_json(file);
  require(config.is_object() && config.contains("peft_type") && config["peft_type"].is_string(),
          "{}: 'peft_type' is missing; expected a string such as \"LORA\"", file.string());
  std::string type = config["peft_type"].get<std::string>();
  if (type.rfind("LORIKEET_", 0) == 0) type.erase(0, 9);
  const MethodInfo& info = find_method(type);
  std::set<std::string> keys = known_keys();
  json settings = json::object();
  for (const MethodOption& option : info.options) {
    keys.insert(option.key);
    settings[option.key] = json::parse(option.value);
  }
  for (const auto& [key, value] : config.items()) {
    if (keys.count(key))
      settings[key] = value;
    else
      require(is_neutral(value),
              "{}: '{}' is {}, which this version does not support and would change the result",
              file.string(), key, value.dump());
  }
  AdapterConfig out{&info, Settings(settings, file.string()), "", {}};
  if (config.contains("base_model_name_or_path") && config["base_model_name_or_path"].is_string())
    out.base = config["base_model_name_or_path"].get<std::string>();
  out.labels = out.settings.texts("labels");
  return out;
}

std::unique_ptr<Method> load_adapter(const std::filesystem::path& folder,
                                     const AdapterConfig& config, Model& model) {
  auto method = config.info->make(config.settings);
  method->attach(model, 0);
  AdapterTensors file(folder / "adapter_model.safetensors");
  method->read(file);
  visit_selected(model, *method,
                 [&](const std::string& name, Parameter& p) { file.take(name, p); });
  file.require_all_taken();
  return method;
}

}  // namespace lk
