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

// The model's own weights that train, with their names in the file.
void visit_selected(Model& model, Method& method,
                    const std::function<void(const std::string& file_name, Parameter&)>& f) {
  const auto trains = trained_weights(model, method);
  model.visit_parameters([&](Parameter& p) {
    if (trains(p.name)) f(method.file_name(p.name), p);
  });
}

// Keys of other methods' or versions' configs that change nothing here when they hold these values.
bool is_neutral(const json& value) {
  return value.is_null() || value == false || (value.is_number() && value == 0) ||
         (value.is_structured() && value.empty());
}

// HF PEFT's name of a task; it has none for masked language models.
json task_type(const ModelInfo& info) {
  switch (info.task) {
    case Task::classification:
      return "SEQ_CLS";
    case Task::token_classification:
      return "TOKEN_CLS";
    case Task::causal_lm:
      return info.encoder_decoder() ? "SEQ_2_SEQ_LM" : "CAUSAL_LM";
    default:
      return nullptr;
  }
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{
      "peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision",
      "inference_mode", "auto_mapping", "fan_in_fan_out", "init_lora_weights", "modules_to_save",
      "megatron_core", "qalora_group_size", "labels",
      // How the base was held (the tools').
      "lorikeet",
      // What prompt methods note of the base; it follows from the model.
      "token_dim", "num_layers", "num_attention_heads", "num_transformer_submodules",
      "tokenizer_name_or_path", "tokenizer_kwargs"};
  return keys;
}

// AdapterHub keeps the head in a file of its own; what else of the base trains stands beside it.
void save_hub_adapter(const std::filesystem::path& folder, Model& model, Method& method,
                      const std::string& base, const std::vector<std::string>& labels) {
  json config = method.settings().json()["adapterhub"];
  config["hidden_size"] = model.info().hidden_size;
  config["model_class"] = model.info().architecture;
  config["model_type"] = model.info().model_type;
  if (!base.empty()) config["model_name"] = base;
  if (method.settings().has("lorikeet"))
    config["lorikeet"].update(method.settings().json()["lorikeet"]);
  config["lorikeet"]["task_type"] = task_type(model.info());
  config["lorikeet"]["labels"] = labels;
  std::vector<NamedTensor> adapter, head;
  method.write(adapter);
  visit_selected(model, method, [&](const std::string& name, Parameter& p) {
    head.push_back({name, p.var.value()});
  });
  save_safetensors(folder / "adapter.safetensors", adapter);
  if (!head.empty()) save_safetensors(folder / "model_head.safetensors", head);
  write_file_atomically(folder / "adapter_config.json", config.dump(2) + "\n");
}

AdapterConfig read_hub_config(const json& file, const std::string& name) {
  require(file["config"].is_object(), "{}: 'config' is {}; expected an object", name,
          file["config"].type_name());
  const json ours = file.value("lorikeet", json::object());
  json settings{{"adapterhub", file}};
  for (const char* key : {"task_type", "labels", "train_norms"})
    if (ours.contains(key)) settings[key] = ours[key];
  if (!ours.empty()) settings["lorikeet"] = ours;
  AdapterConfig out{&find_method("adapterhub"), Settings(settings, name), "", {}};
  if (file.contains("model_name") && file["model_name"].is_string())
    out.base = file["model_name"].get<std::string>();
  out.labels = out.settings.texts("labels");
  return out;
}

void read_hub_tensors(const std::filesystem::path& folder, Model& model, Method& method) {
  AdapterTensors adapter(folder / "adapter.safetensors");
  method.read(adapter);
  adapter.require_all_taken();
  const std::filesystem::path head_file = folder / "model_head.safetensors";
  if (!std::filesystem::exists(head_file)) return;  // then the base's own head stays
  AdapterTensors head(head_file);
  visit_selected(model, method, [&](const std::string& name, Parameter& p) { head.take(name, p); });
  head.require_all_taken();
}

std::unique_ptr<Method> load(const std::filesystem::path& folder, const AdapterConfig& config,
                             Model& model, int depth);

std::vector<std::unique_ptr<Method>> load_below(const Settings& settings, Model& model, int depth) {
  constexpr int kDeepest = 16;
  require(depth < kDeepest, "{}: {} adapters lie below one another; does one lie below itself?",
          settings.source(), kDeepest);
  std::vector<std::unique_ptr<Method>> out;
  for (const std::string& folder : stacked_on(settings))
    out.push_back(load(folder, read_adapter_config(folder), model, depth + 1));
  return out;
}

// AdapterHub's files say what their base was.
void require_same_base(const json& hub, const ModelInfo& info, const std::string& source) {
  const auto same = [&](const char* key, const json& here) {
    const json there = hub.value(key, json());
    require(there.is_null() || there == here,
            "{}: the adapter was made for a base whose {} is {}; this model's is {}", source, key,
            there.dump(), here.dump());
  };
  same("model_type", info.model_type);
  same("hidden_size", info.hidden_size);
}

std::unique_ptr<Method> load(const std::filesystem::path& folder, const AdapterConfig& config,
                             Model& model, int depth) {
  if (config.settings.has("adapterhub"))
    require_same_base(config.settings.json()["adapterhub"], model.info(), config.settings.source());
  auto below = load_below(config.settings, model, depth);
  auto method = config.info->make(config.settings);
  method->attach(model, 0);
  method->below = std::move(below);
  if (config.settings.has("adapterhub")) {
    read_hub_tensors(folder, model, *method);
    return method;
  }
  AdapterTensors file(weight_file(folder, "adapter_model"));
  method->read(file);
  visit_selected(model, *method,
                 [&](const std::string& name, Parameter& p) { file.take(name, p); });
  file.require_all_taken();
  return method;
}

// "peft_type" of an adapter_config.json.
std::string type_of(const MethodInfo& info) {
  return info.peft_type.empty() ? "LORIKEET_" + info.name : info.peft_type;
}
const MethodInfo& method_of_type(const std::string& type, const std::string& file) {
  std::vector<std::string> known;
  for (const MethodInfo& m : methods()) {
    if (type_of(m) == type) return m;
    if (m.base_quant.empty()) known.push_back(type_of(m));  // qlora's is lora's
  }
  fail("{}: 'peft_type' is \"{}\", which is not known; the nearest are {}", file, type,
       nearest(type, known, 3));
}

}  // namespace

void save_adapter(const std::filesystem::path& folder, Model& model, Method& method,
                  const MethodInfo& info, const std::string& base,
                  const std::vector<std::string>& labels) {
  std::filesystem::create_directories(folder);
  if (method.settings().has("adapterhub"))
    return save_hub_adapter(folder, model, method, base, labels);
  json config = method.settings().json();
  config["peft_type"] = type_of(info);
  config["base_model_name_or_path"] = base;
  config["inference_mode"] = true;
  const bool classifier = !model.head_modules().empty();
  config["task_type"] = task_type(model.info());
  if (classifier) {
    std::vector<std::string> modules = method.settings().texts("modules_to_save");
    for (const std::string& head : model.head_modules())
      if (std::find(modules.begin(), modules.end(), head) == modules.end()) modules.push_back(head);
    config["modules_to_save"] = modules;
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
  if (config.is_object() && config.contains("config") && config.contains("model_type"))
    return read_hub_config(config, file.string());
  require(config.is_object() && config.contains("peft_type") && config["peft_type"].is_string(),
          "{}: 'peft_type' is missing; expected a string such as \"LORA\"", file.string());
  const MethodInfo& info = method_of_type(config["peft_type"].get<std::string>(), file.string());
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

std::vector<std::string> stacked_on(const Settings& settings) {
  const json folders = settings.remembered("stacked_on");
  if (folders.is_null()) return {};
  require(folders.is_array() && std::all_of(folders.begin(), folders.end(),
                                            [](const json& f) { return f.is_string(); }),
          "{}: 'lorikeet.stacked_on' is {}; expected a list of adapter folders", settings.source(),
          folders.dump());
  return folders.get<std::vector<std::string>>();
}

void stack_on(Settings& settings, const std::vector<std::string>& folders) {
  settings.remember("stacked_on", folders);
}

std::vector<std::unique_ptr<Method>> load_below(const Settings& settings, Model& model) {
  return load_below(settings, model, 0);
}

std::unique_ptr<Method> load_adapter(const std::filesystem::path& folder,
                                     const AdapterConfig& config, Model& model) {
  try {
    return load(folder, config, model, 0);
  } catch (const Error& e) {  // an adapter that does not fit is most often one for another base
    const ModelInfo& info = model.info();
    fail("{}\n{} was made for {}; the model here is a {} of {} layers, hidden size {}, {} heads",
         e.what(), folder.string(),
         config.base.empty() ? "a base that it does not name" : "'" + config.base + "'",
         info.architecture, info.layers, info.hidden_size, info.heads);
  }
}

}  // namespace lk
