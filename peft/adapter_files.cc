#include "peft/adapter_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "engine/files/safetensors.h"
#include "peft/nearest.h"

namespace lk {
namespace {

using nlohmann::json;

// Every tensor of the file with its name there: the method's own, then the model's that train.
void visit_saved(Model& model, Method& method,
                 const std::function<void(const std::string& file_name, Parameter&)>& f) {
  const auto trains = trained_weights(model, method);
  method.visit([&](Parameter& p) { f(p.name, p); });
  method.visit_frozen([&](Parameter& p) { f(p.name, p); });
  model.visit_parameters([&](Parameter& p) {
    if (trains(p.name)) f(method.file_name(p.name), p);
  });
}

// Keys of other methods' or versions' configs that change nothing here when they hold these values.
bool is_neutral(const json& value) {
  return value.is_null() || value == false || (value.is_number() && value == 0) ||
         (value.is_structured() && value.empty());
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{"peft_type",
                                          "peft_version",
                                          "task_type",
                                          "base_model_name_or_path",
                                          "revision",
                                          "inference_mode",
                                          "auto_mapping",
                                          "fan_in_fan_out",
                                          "init_lora_weights",
                                          "modules_to_save",
                                          "megatron_core",
                                          "qalora_group_size",
                                          "labels"};
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
    std::vector<std::string> modules = method.settings().texts("modules_to_save");
    for (const std::string& head : model.head_modules())
      if (std::find(modules.begin(), modules.end(), head) == modules.end()) modules.push_back(head);
    config["modules_to_save"] = modules;
    config["labels"] = labels;
  }
  config["fan_in_fan_out"] = model.info().model_type == "gpt2";
  std::vector<NamedTensor> tensors;
  visit_saved(model, method, [&](const std::string& name, Parameter& p) {
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
    settings[option.key] = json::parse(option.absent.empty() ? option.value : option.absent);
  }
  for (const auto& [key, value] : config.items()) {
    if (keys.count(key))
      settings[key] = value;
    else
      require(is_neutral(value),
              "{}: '{}' is {}, which the method {} here does not know and which may change the "
              "result; its nearest keys: {}",
              file.string(), key, value.dump(), info.name,
              nearest(key, {keys.begin(), keys.end()}));
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
  const std::filesystem::path file = folder / "adapter_model.safetensors";
  const auto tensors = SafetensorsFile::open(file);
  std::set<std::string> used;
  // Copies beside a head that trains; other writers than HF PEFT may leave them out.
  const auto is_copy = [](const std::string& name) {
    return name.find(".modules_to_save.") != std::string::npos ||
           name.find(".original_module.") != std::string::npos;
  };
  visit_saved(model, *method, [&](const std::string& name, Parameter& p) {
    if (is_copy(name) && !tensors->has(name)) return;
    require(tensors->has(name),
            "{}: tensor '{}' is missing; the adapter does not fit this base model", file.string(),
            name);
    const Tensor t = tensors->get(name);
    require(t.shape() == p.shape,
            "{}: tensor '{}' is {}, but this base model and adapter_config.json ask for {}",
            file.string(), name, t.shape(), p.shape);
    const DType wanted = p.defined() ? p.var.dtype() : DType::f32;
    require(is_float(t.dtype()) == is_float(wanted), "{}: tensor '{}' is {}, expected {}",
            file.string(), name, name_of(t.dtype()), name_of(wanted));
    p.set(t.to(wanted));
    used.insert(name);
  });
  for (const std::string& name : tensors->names()) {
    require(is_copy(name) || used.count(name) > 0,
            "{}: tensor '{}' has no place in this model; the adapter belongs to another",
            file.string(), name);
  }
  return method;
}

}  // namespace lk
