#include "tools/train/run_model.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "data/metrics.h"
#include "data/slot_errors.h"
#include "engine/device.h"
#include "tools/train/tasks/task.h"

namespace lk {
namespace {

// The class names that config.json gives, in order of their ids.
std::vector<std::string> config_labels(const Config& config) {
  std::vector<std::string> out;
  if (!config.has("id2label")) return out;
  const auto& map = config.json()["id2label"];
  for (size_t i = 0; i < map.size(); ++i) {
    const std::string key = std::to_string(i);
    require(map.contains(key) && map[key].is_string(), "{}: id2label has no name for class {}",
            config.file(), i);
    out.push_back(map[key].get<std::string>());
  }
  return out;
}

}  // namespace

EncodeOptions encode_options(const Model& model, const ScoreOptions& o) {
  const ModelInfo& info = model.info();
  EncodeOptions e;
  e.separator = o.separator;
  e.max_length = o.max_length > 0 ? o.max_length : model.max_length();
  e.truncate = o.truncate;
  e.eos_id = info.eos_ids.empty() ? -1 : info.eos_ids[0];
  e.decoder_start_id = info.decoder_start_id;
  return e;
}

ModelSource find_model(const std::string& model, const std::string& adapter,
                       const QuantOptions& quant) {
  std::optional<AdapterConfig> adapter_config;
  std::string base = model;
  if (!adapter.empty()) {
    adapter_config = read_adapter_config(adapter);
    if (base.empty()) base = adapter_config->base;
    require(!base.empty(), "{}: adapter_config.json names no base model; pass --model", adapter);
  }
  require(!base.empty(),
          "pass --model FOLDER, or --adapter FOLDER whose adapter_config.json names the base");
  Config config = Config::load(base);
  ModelSource out{base, adapter, config, adapter_config, task_of(config), {}, quant};
  if (!adapter_config) {
    out.labels = config_labels(config);
    return out;
  }
  const Settings& settings = adapter_config->settings;
  if (!quant.spec()) out.quant = remembered(settings);
  const std::string type = settings.has("task_type") ? settings.text("task_type") : "";
  if (type == "SEQ_CLS" || type == "TOKEN_CLS") {
    out.head = type == "SEQ_CLS" ? Task::classification : Task::token_classification;
    out.labels = adapter_config->labels;
    if (out.labels.empty()) out.labels = config_labels(config);
  } else if (const RememberedTask task = remembered_task(settings); task.kind) {
    out.head = task.kind->head;
  }
  return out;
}

void restack(ModelSource& source, const std::vector<std::string>& folders) {
  require(source.adapter_config.has_value(), "--stack-on: pass the --adapter that lies on top");
  stack_on(source.adapter_config->settings, folders);
}

OpenModel open_model(const ModelSource& source, DType compute, Device device, QuantError* error) {
  require_device(device);
  require(source.head != Task::none,
          "{}: {} has no classification head; pass the --adapter that was trained on it",
          source.config.file(), source.config.architecture());
  LoadOptions load;
  load.compute = compute;
  load.task = source.head;
  const bool classes = load.task == Task::classification || load.task == Task::token_classification;
  if (source.adapter_config && classes) load.labels = static_cast<int64_t>(source.labels.size());
  const auto quantizer = make_quantizer(source.quant, source.config, error);
  load.weights = quantizer.get();
  LoadedModel loaded = load_model(source.base, load);
  OpenModel out{std::move(loaded.model),
                nullptr,
                loaded.config,
                Tokenizer::load(source.base),
                source.base,
                classes ? source.labels : std::vector<std::string>{},
                source.adapter};
  if (source.adapter_config)
    out.method = load_adapter(source.adapter, *source.adapter_config, *out.model);
  move_parameters(*out.model, out.method.get(), device);
  return out;
}

OpenModel open_model(const std::string& model, const std::string& adapter, DType compute,
                     Device device) {
  return open_model(find_model(model, adapter), compute, device);
}

void add_slot_errors(Scores& scores, std::vector<std::string> inputs) {
  inputs.resize(scores.outputs.size());
  if (const auto errors = slot_error_rate(inputs, scores.outputs))
    scores.values.emplace_back("slot error rate", *errors);
}

int64_t parameter_count(Model& model, Method* method) {
  int64_t total = quantized_numel(model);
  const auto count = [&](const Parameter& p) { total += p.shape.numel(); };
  model.visit_parameters(count);
  if (method) visit_stack(*method, count);
  return total;
}

std::vector<std::pair<std::string, double>> class_scores(std::span<const int32_t> predicted,
                                                         std::span<const int32_t> expected) {
  return {{"accuracy", accuracy(predicted, expected)},
          {"macro F1", macro_f1(predicted, expected)},
          {"Matthews", matthews(predicted, expected)}};
}

std::string Scores::line() const {
  std::string out;
  for (const auto& [name, value] : values)
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", name, value);
  return out;
}

}  // namespace lk
