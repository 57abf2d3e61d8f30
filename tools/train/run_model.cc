#include "tools/train/run_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/metrics.h"
#include "nn/generate.h"
#include "tools/train/perplexity.h"
#include "tools/train/quant_options.h"
#include "tools/train/trainer.h"

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

Task task_of(const Config& config) {
  const std::string architecture = config.architecture();
  if (architecture.find("SequenceClassification") != std::string::npos) return Task::classification;
  require(config.string("model_type", "") != "bert",
          "{}: {} has no classification head; pass the --adapter that was trained on it",
          config.file(), architecture);
  return Task::causal_lm;
}

EncodeOptions encode_options(const Model& model, const ScoreOptions& o) {
  EncodeOptions e;
  e.separator = o.separator;
  e.max_length = o.max_length > 0 ? o.max_length : model.info().max_positions;
  e.truncate = o.truncate;
  e.eos_id = model.info().eos_ids.empty() ? -1 : model.info().eos_ids[0];
  return e;
}

}  // namespace

OpenModel open_model(const std::string& model, const std::string& adapter, DType compute) {
  std::optional<AdapterConfig> adapter_config;
  std::string base = model;
  if (!adapter.empty()) {
    adapter_config = read_adapter_config(adapter);
    if (base.empty()) base = adapter_config->base;
    require(!base.empty(), "{}: adapter_config.json names no base model; pass --model", adapter);
  }
  require(!base.empty(),
          "pass --model FOLDER, or --adapter FOLDER whose adapter_config.json names the base");
  LoadOptions load;
  load.compute = compute;
  const QuantOptions trained_on =
      adapter_config ? remembered(adapter_config->settings) : QuantOptions{};
  const auto quantizer = make_quantizer(trained_on, Config::load(base));
  load.weights = quantizer.get();
  std::vector<std::string> labels;
  if (adapter_config && adapter_config->settings.has("task_type") &&
      adapter_config->settings.text("task_type") == "SEQ_CLS") {
    load.task = Task::classification;
    labels = adapter_config->labels;
    load.labels = static_cast<int64_t>(labels.size());
  } else {
    load.task = task_of(Config::load(base));
  }
  LoadedModel loaded = load_model(base, load);
  if (load.task == Task::classification && labels.empty()) labels = config_labels(loaded.config);
  OpenModel out{std::move(loaded.model), nullptr, loaded.config,
                Tokenizer::load(base),   base,    labels};
  if (adapter_config) out.method = load_adapter(adapter, *adapter_config, *out.model);
  return out;
}

std::string Scores::line() const {
  std::string out;
  for (const auto& [name, value] : values)
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", name, value);
  return out;
}

Scores score_text(Model& model, const Tokenizer& tokenizer, const TextData& data,
                  const ScoreOptions& o) {
  const EncodeOptions encode = encode_options(model, o);
  const size_t count = o.limit > 0 ? std::min(data.records.size(), static_cast<size_t>(o.limit))
                                   : data.records.size();
  std::vector<Example> examples;
  std::vector<std::vector<int32_t>> prompts;
  References references;
  for (size_t i = 0; i < count; ++i) {
    examples.push_back(encode_pair_example(tokenizer, data, data.records[i], encode));
    prompts.push_back(encode_prompt(tokenizer, data.records[i].input, encode));
    references.push_back(data.records[i].references);
  }
  GenerateOptions g;
  g.max_new_tokens = o.max_new_tokens;
  Scores scores;
  constexpr size_t kTogether = 32;
  for (size_t at = 0; at < prompts.size(); at += kTogether) {
    const std::vector<std::vector<int32_t>> part(
        prompts.begin() + static_cast<std::ptrdiff_t>(at),
        prompts.begin() + static_cast<std::ptrdiff_t>(std::min(prompts.size(), at + kTogether)));
    for (const auto& ids : generate(model, part, g))
      scores.outputs.push_back(tokenizer.decode(ids));
  }
  const LossReport loss = evaluate_loss(model, examples);
  scores.values = {{"BLEU", bleu(scores.outputs, references)},
                   {"ROUGE-L", rouge_l(scores.outputs, references)},
                   {"exact match", exact_match(scores.outputs, references)},
                   {"perplexity of the answers", std::exp(loss.loss)}};
  return scores;
}

Scores score_class(Model& model, const Tokenizer& tokenizer, const ClassData& data,
                   const std::vector<std::string>& labels, const ScoreOptions& o) {
  const NoGrad no_grad;
  const EncodeOptions encode = encode_options(model, o);
  const size_t count = o.limit > 0 ? std::min(data.records.size(), static_cast<size_t>(o.limit))
                                   : data.records.size();
  std::vector<Example> examples;
  for (size_t i = 0; i < count; ++i)
    examples.push_back(encode_class_example(tokenizer, data, data.records[i], labels, encode));
  std::vector<int32_t> predicted, expected;
  Scores scores;
  constexpr size_t kTogether = 32;
  for (size_t at = 0; at < count; at += kTogether) {
    std::vector<const Example*> part;
    for (size_t i = at; i < std::min(count, at + kTogether); ++i) part.push_back(&examples[i]);
    const Batch batch = make_batch(part);
    ModelInput in = as_input(batch);
    const Var h = model.hidden(in);
    const Tensor logits = model.class_logits(h, in.packing).value();
    for (size_t i = 0; i < part.size(); ++i) {
      const auto row =
          logits.rows(static_cast<int64_t>(i), static_cast<int64_t>(i) + 1).to_vector<float>();
      predicted.push_back(
          static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
      expected.push_back(part[i]->class_label);
      scores.outputs.push_back(labels[static_cast<size_t>(predicted.back())]);
    }
  }
  scores.values = {{"accuracy", accuracy(predicted, expected)},
                   {"macro F1", macro_f1(predicted, expected)},
                   {"Matthews", matthews(predicted, expected)}};
  return scores;
}

Scores score(OpenModel& open, const std::filesystem::path& data, const ScoreOptions& o) {
  switch (data_kind(data)) {
    case DataKind::class_tsv:
      require(!open.labels.empty(),
              "{}: a classification data set, but the model has no classes; pass the --adapter "
              "trained on such data",
              data.string());
      return score_class(*open.model, open.tokenizer, read_class_tsv(data), open.labels, o);
    case DataKind::text_jsonl:
      return score_text(*open.model, open.tokenizer, read_text_jsonl(data), o);
    case DataKind::plain_text:
      break;
  }
  const ModelInfo& info = open.model->info();
  const auto examples =
      encode_text(open.tokenizer, data, o.max_length > 0 ? o.max_length : info.max_positions,
                  info.eos_ids.empty() ? -1 : info.eos_ids[0]);
  const LossReport loss = evaluate_loss(*open.model, examples);
  return {{{"perplexity", std::exp(loss.loss)},
           {"loss", loss.loss},
           {"tokens", static_cast<double>(loss.labels)}},
          {}};
}

}  // namespace lk
