#include "tools/train/run_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/train/chat_run.h"
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

// The likeliest class of each row.
std::vector<int32_t> best_classes(const Tensor& logits) {
  std::vector<int32_t> out;
  const Tensor host = logits.to(Device::cpu);
  for (int64_t i = 0; i < host.dim(0); ++i) {
    const auto row = host.rows(i, i + 1).to_vector<float>();
    out.push_back(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return out;
}

constexpr size_t kTogether = 32;  // documents of a batch

}  // namespace

EncodeOptions encode_options(const Model& model, const std::string& separator, int64_t max_length,
                             bool truncate) {
  const ModelInfo& info = model.info();
  EncodeOptions e;
  e.separator = separator;
  e.max_length = max_length > 0 ? max_length : model.max_length();
  e.truncate = truncate;
  e.eos_id = info.eos_ids.empty() ? -1 : info.eos_ids[0];
  e.decoder_start_id = info.decoder_start_id;
  return e;
}

EncodeOptions encode_options(const Model& model, const ScoreOptions& o) {
  return encode_options(model, o.separator, o.max_length, o.truncate);
}

OpenModel open_model(const std::string& model, const std::string& adapter, DType compute,
                     Device device) {
  require_device(device);
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
  const std::string type = adapter_config && adapter_config->settings.has("task_type")
                               ? adapter_config->settings.text("task_type")
                               : "";
  if (type == "SEQ_CLS" || type == "TOKEN_CLS") {
    load.task = type == "SEQ_CLS" ? Task::classification : Task::token_classification;
    labels = adapter_config->labels;
    load.labels = static_cast<int64_t>(labels.size());
  } else {
    const Config config = Config::load(base);
    load.task = task_of(config);
    require(load.task != Task::none && load.task != Task::masked_lm,
            "{}: {} has no classification head; pass the --adapter that was trained on it",
            config.file(), config.architecture());
  }
  LoadedModel loaded = load_model(base, load);
  if (load.task != Task::causal_lm && labels.empty()) labels = config_labels(loaded.config);
  OpenModel out{std::move(loaded.model),
                nullptr,
                loaded.config,
                Tokenizer::load(base),
                base,
                labels,
                adapter};
  if (adapter_config) out.method = load_adapter(adapter, *adapter_config, *out.model);
  move_parameters(*out.model, out.method.get(), device);
  return out;
}

std::string Scores::line() const {
  std::string out;
  for (const auto& [name, value] : values)
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", name, value);
  return out;
}

Scores score_answers(Model& model, const Tokenizer& tokenizer, const Answers& answers,
                     const GenerateOptions& options,
                     const std::function<std::string(const std::string&)>& finish) {
  const auto& prompts = answers.prompts;
  Scores scores;
  for (size_t at = 0; at < prompts.size(); at += kTogether) {
    const std::vector<std::vector<int32_t>> part(
        prompts.begin() + static_cast<std::ptrdiff_t>(at),
        prompts.begin() + static_cast<std::ptrdiff_t>(std::min(prompts.size(), at + kTogether)));
    for (const auto& ids : generate(model, part, options))
      scores.outputs.push_back(finish(tokenizer.decode(ids)));
  }
  const LossReport loss = evaluate_loss(model, answers.examples);
  scores.values = {{"BLEU", bleu(scores.outputs, answers.references)},
                   {"ROUGE-L", rouge_l(scores.outputs, answers.references)},
                   {"exact match", exact_match(scores.outputs, answers.references)},
                   {"perplexity of the answers", std::exp(loss.loss)}};
  return scores;
}

Scores score_text(Model& model, const Tokenizer& tokenizer, const TextData& data,
                  const ScoreOptions& o) {
  const EncodeOptions encode = encode_options(model, o);
  const size_t count = o.count_of(data.records.size());
  Answers answers;
  for (size_t i = 0; i < count; ++i) {
    answers.examples.push_back(encode_pair_example(tokenizer, data, data.records[i], encode));
    answers.prompts.push_back(encode_prompt(tokenizer, data.records[i].input, encode));
    answers.references.push_back(data.records[i].references);
  }
  GenerateOptions g;
  g.max_new_tokens = o.max_new_tokens;
  g.num_beams = o.num_beams;
  return score_answers(model, tokenizer, answers, g, [](const std::string& text) { return text; });
}

Scores score_class(Model& model, const Tokenizer& tokenizer, const ClassData& data,
                   const std::vector<std::string>& labels, const ScoreOptions& o) {
  const NoGrad no_grad;
  const EncodeOptions encode = encode_options(model, o);
  const size_t count = o.count_of(data.records.size());
  std::vector<Example> examples;
  for (size_t i = 0; i < count; ++i)
    examples.push_back(encode_class_example(tokenizer, data, data.records[i], labels, encode));
  std::vector<int32_t> predicted, expected;
  Scores scores;
  for (size_t at = 0; at < count; at += kTogether) {
    std::vector<const Example*> part;
    for (size_t i = at; i < std::min(count, at + kTogether); ++i) part.push_back(&examples[i]);
    const Batch batch = make_batch(part);
    ModelInput in = as_input(batch);
    const Var h = model.hidden(in);
    const Tensor logits = model.class_logits(h, in.packing).value();
    const std::vector<int32_t> best = best_classes(logits);
    for (size_t i = 0; i < part.size(); ++i) {
      predicted.push_back(best[i]);
      expected.push_back(part[i]->class_label);
      scores.outputs.push_back(labels[static_cast<size_t>(predicted.back())]);
    }
  }
  scores.values = {{"accuracy", accuracy(predicted, expected)},
                   {"macro F1", macro_f1(predicted, expected)},
                   {"Matthews", matthews(predicted, expected)}};
  return scores;
}

Scores score_tagged(Model& model, const Tokenizer& tokenizer, const TaggedData& data,
                    const std::vector<std::string>& labels, const ScoreOptions& o) {
  const NoGrad no_grad;
  const EncodeOptions encode = encode_options(model, o);
  const size_t count = o.count_of(data.sentences.size());
  std::vector<TaggedExample> examples;
  for (size_t i = 0; i < count; ++i)
    examples.push_back(encode_tagged(tokenizer, data, data.sentences[i], labels, encode));
  std::vector<int32_t> predicted, expected;
  TagLists our_tags, right_tags;
  Scores scores;
  for (size_t at = 0; at < count; at += kTogether) {
    std::vector<const Example*> part;
    for (size_t i = at; i < std::min(count, at + kTogether); ++i)
      part.push_back(&examples[i].example);
    const Batch batch = make_batch(part);
    ModelInput in = as_input(batch);
    in.packing.labels = batch.labels;
    const Var h = model.hidden(in);
    const std::vector<int32_t> best = best_classes(model.class_logits(h, in.packing).value());
    for (size_t i = 0; i < part.size(); ++i) {
      const TaggedSentence& sentence = data.sentences[at + i];
      std::vector<std::string> ours, right;
      std::string shown;
      // Rows are read off the packing: an input adapter may have moved them.
      auto row = static_cast<size_t>(in.packing.offsets[i]);
      for (size_t t = 0; t < examples[at + i].pieces_of.size(); ++t) {
        if (examples[at + i].pieces_of[t] == 0) continue;
        while (in.packing.labels[row] == -100) ++row;
        predicted.push_back(best[row]);
        expected.push_back(in.packing.labels[row++]);
        ours.push_back(labels[static_cast<size_t>(predicted.back())]);
        right.push_back(sentence.tags[t]);
        shown += (shown.empty() ? "" : " ") + sentence.tokens[t] + "/" + ours.back();
      }
      our_tags.push_back(ours);
      right_tags.push_back(right);
      scores.outputs.push_back(shown);
    }
  }
  if (has_entities(labels)) {
    const EntityScores e = entity_scores(our_tags, right_tags);
    scores.values = {{"entity F1", e.f1}, {"precision", e.precision}, {"recall", e.recall}};
  }
  scores.values.emplace_back("accuracy", accuracy(predicted, expected));
  if (!has_entities(labels)) scores.values.emplace_back("macro F1", macro_f1(predicted, expected));
  return scores;
}

Scores score(OpenModel& open, const std::filesystem::path& data, const ScoreOptions& o) {
  const Task task = open.model->info().task;
  switch (data_kind(data)) {
    case DataKind::tagged:
      require(task == Task::token_classification,
              "{}: tagged tokens, but the model has no classes for tokens; pass the --adapter "
              "trained on such data",
              data.string());
      return score_tagged(*open.model, open.tokenizer, read_tagged(data), open.labels, o);
    case DataKind::class_tsv:
      require(task == Task::classification,
              "{}: a classification data set, but the model has no classes; pass the --adapter "
              "trained on such data",
              data.string());
      return score_class(*open.model, open.tokenizer, read_class_tsv(data), open.labels, o);
    case DataKind::text_jsonl:
      return score_text(*open.model, open.tokenizer, read_text_jsonl(data), o);
    case DataKind::chat_jsonl:
      return score_chat(
          *open.model, open.tokenizer,
          open_chat_template(open.base, open.adapter, o.chat_template, open.tokenizer),
          read_chat_jsonl(data), o);
    case DataKind::plain_text:
      break;
  }
  const ModelInfo& info = open.model->info();
  const auto examples =
      encode_text(open.tokenizer, data, o.max_length > 0 ? o.max_length : open.model->max_length(),
                  info.eos_ids.empty() ? -1 : info.eos_ids[0]);
  const LossReport loss = evaluate_loss(*open.model, examples);
  return {{{"perplexity", std::exp(loss.loss)},
           {"loss", loss.loss},
           {"tokens", static_cast<double>(loss.labels)}},
          {}};
}

}  // namespace lk
