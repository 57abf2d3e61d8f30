// Fine-tunes a model folder on a data file with any method of the registry; writes an adapter.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "engine/rng.h"
#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"
#include "tools/train/chat_run.h"
#include "tools/train/cli.h"
#include "tools/train/consistency.h"
#include "tools/train/method_options.h"
#include "tools/train/progress.h"
#include "tools/train/quant_options.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

struct Options {
  std::string model, train, dev, method = "lora", separator = "\n", chat_template;
  int64_t max_length = 0, samples = 3, dev_limit = 0, max_new_tokens = 96;
  bool truncate = false, gradient_checkpointing = false, no_baseline = false;
  DType dtype = DType::f32;
  QuantOptions quant;
  TrainOptions run;
  MethodFlags method_flags;
};

void show_samples(const char* title, const Scores& scores, const std::vector<std::string>& inputs,
                  int64_t count) {
  fmt::print("\n{}\n", title);
  for (size_t i = 0;
       i < std::min({inputs.size(), scores.outputs.size(), static_cast<size_t>(count)}); ++i)
    fmt::print("  {}\n    -> {}\n", inputs[i],
               scores.outputs[i].empty() ? "(nothing)" : scores.outputs[i]);
}

// The data of a run, of whichever kind.
struct TaskData {
  DataKind kind;
  ClassData train_class, dev_class;
  TextData train_text, dev_text;
  TaggedData train_tagged, dev_tagged;
  ChatData train_chat, dev_chat;
  std::optional<ChatTemplate> chat;
  std::vector<std::string> labels, dev_inputs;
};

TaskData read_data(const Options& o) {
  TaskData t;
  t.kind = data_kind(o.train);
  if (t.kind == DataKind::class_tsv) {
    t.train_class = read_class_tsv(o.train);
    t.labels = t.train_class.labels();
    require(t.labels.size() >= 2, "{}: only the label '{}' occurs; a classifier needs two or more",
            o.train, t.labels[0]);
  } else if (t.kind == DataKind::tagged) {
    t.train_tagged = read_tagged(o.train);
    t.labels = t.train_tagged.labels();
    require(t.labels.size() >= 2, "{}: only the tag '{}' occurs; a tagger needs two or more",
            o.train, t.labels[0]);
  } else if (t.kind == DataKind::text_jsonl) {
    t.train_text = read_text_jsonl(o.train);
  } else if (t.kind == DataKind::chat_jsonl) {
    t.train_chat = read_chat_jsonl(o.train);
  }
  require(o.chat_template.empty() || t.kind == DataKind::chat_jsonl,
          "--chat-template is for {{\"messages\"}} data; {} has none", o.train);
  if (o.dev.empty()) return t;
  require(data_kind(o.dev) == t.kind, "{} and {} are of different kinds", o.train, o.dev);
  if (t.kind == DataKind::class_tsv) {
    t.dev_class = read_class_tsv(o.dev);
    for (const ClassRecord& r : t.dev_class.records) {
      label_index(t.labels, t.dev_class, r);
      t.dev_inputs.push_back(r.text_a + (r.text_b.empty() ? "" : " | " + r.text_b));
    }
  } else if (t.kind == DataKind::tagged) {
    t.dev_tagged = read_tagged(o.dev);
    for (const TaggedSentence& s : t.dev_tagged.sentences) {
      std::string text;
      for (const std::string& token : s.tokens) text += (text.empty() ? "" : " ") + token;
      t.dev_inputs.push_back(text);
    }
  } else if (t.kind == DataKind::text_jsonl) {
    t.dev_text = read_text_jsonl(o.dev);
    for (const TextRecord& r : t.dev_text.records) t.dev_inputs.push_back(r.input);
  } else if (t.kind == DataKind::chat_jsonl) {
    t.dev_chat = read_chat_jsonl(o.dev);
    for (const ChatRecord& r : t.dev_chat.records) t.dev_inputs.push_back(last_question(r));
  }
  return t;
}

Scores score_dev(const Options& o, const TaskData& t, Model& model, const Tokenizer& tokenizer) {
  const ScoreOptions s{o.separator, o.max_new_tokens, o.max_length, o.dev_limit, o.truncate};
  if (t.kind == DataKind::class_tsv) return score_class(model, tokenizer, t.dev_class, t.labels, s);
  if (t.kind == DataKind::tagged) return score_tagged(model, tokenizer, t.dev_tagged, t.labels, s);
  if (t.chat) return score_chat(model, tokenizer, *t.chat, t.dev_chat, s);
  return score_text(model, tokenizer, t.dev_text, s);
}

std::vector<Example> encode_train(const Options& o, const TaskData& t, const Model& model,
                                  const Tokenizer& tokenizer) {
  const ModelInfo& info = model.info();
  const EncodeOptions e = encode_options(model, o.separator, o.max_length, o.truncate);
  require(e.max_length <= model.max_length(),
          "--max-length {} is above the model's context of {}, of which virtual tokens take {}",
          e.max_length, info.max_positions, info.max_positions - model.max_length());
  require(t.kind != DataKind::plain_text || !info.encoder_decoder(),
          "{}: {} learns from input and output (.jsonl), not from plain text", o.train,
          info.architecture);
  std::vector<Example> out;
  if (t.kind == DataKind::class_tsv)
    for (const ClassRecord& r : t.train_class.records)
      out.push_back(encode_class_example(tokenizer, t.train_class, r, t.labels, e));
  else if (t.kind == DataKind::tagged)
    for (const TaggedSentence& r : t.train_tagged.sentences)
      out.push_back(encode_tagged(tokenizer, t.train_tagged, r, t.labels, e).example);
  else if (t.kind == DataKind::text_jsonl)
    for (const TextRecord& r : t.train_text.records)
      out.push_back(encode_pair_example(tokenizer, t.train_text, r, e));
  else if (t.chat)
    out = encode_chat(tokenizer, *t.chat, t.train_chat, t.train_chat.records.size(), e);
  else
    out = encode_text(tokenizer, o.train, e.max_length, e.eos_id);
  return out;
}

void finetune(CLI::App& app, Options o) {
  const MethodInfo& info = find_method(o.method);
  if (app.count("--lr") == 0) {
    o.run.lr = info.default_lr;
    app.get_option("--lr")->default_str(fmt::format("{}", o.run.lr));  // for run.toml
  }
  const Config config = Config::load(o.model);
  if (o.quant.type.empty() && !info.base_quant.empty() && !stored_spec(config)) {
    o.quant.type = info.base_quant;
    o.quant.double_quant = true;
  }
  TaskData data = read_data(o);
  const FolderLock lock(o.run.output);
  save_options(app, o.run.output);

  LoadOptions load;
  load.task = data.kind == DataKind::class_tsv ? Task::classification
              : data.kind == DataKind::tagged  ? Task::token_classification
                                               : Task::causal_lm;
  load.labels = static_cast<int64_t>(data.labels.size());
  load.compute = o.dtype;
  load.seed = o.run.seed;
  const auto quantizer = make_quantizer(o.quant, config);
  load.weights = quantizer.get();
  LoadedModel loaded = load_model(o.model, load);
  Model& model = *loaded.model;
  model.gradient_checkpointing = o.gradient_checkpointing;
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  require(tokenizer.vocab_size() <= model.info().vocab_size,
          "{}: the tokenizer has {} tokens, the model's embedding {}", o.model,
          tokenizer.vocab_size(), model.info().vocab_size);
  for (const std::string& name : loaded.initialised) fmt::print(stderr, "new weights: {}\n", name);

  if (data.kind == DataKind::chat_jsonl)
    data.chat = open_chat_template(o.model, "", o.chat_template, tokenizer);
  // Before anything slow: bad data is found here.
  const int64_t context = model.max_length();
  std::vector<Example> examples = encode_train(o, data, model, tokenizer);

  const bool scored = !data.dev_inputs.empty();
  Scores before;
  if (scored && !o.no_baseline && data.labels.empty()) {
    before = score_dev(o, data, model, tokenizer);
    show_samples("Before, the base answers:", before, data.dev_inputs, o.samples);
    fmt::print("  held out: {}\n\n", before.line());
  }

  Settings settings = method_settings(info, o.method_flags);
  remember(settings, o.quant);
  const auto method = info.make(settings);
  method->prepare(
      [&](const std::string& text) {
        const std::vector<TokenId> ids = tokenizer.encode(text, false);
        return std::vector<int32_t>(ids.begin(), ids.end());
      },
      data.labels);
  model.visit_linears([&](Linear& linear) {
    const auto* w = dynamic_cast<QuantizedWeight*>(&linear.weight());
    if (w && method->selects(w->name()))
      fail(
          "--method {} trains '{}', which is quantized and cannot be trained; leave --quant out, "
          "or choose a method that adds weights (lora, qlora)",
          info.name, w->name());
  });
  method->attach(model, o.run.seed);
  // Virtual tokens take a part of the context.
  if (model.max_length() < context) examples = encode_train(o, data, model, tokenizer);
  int64_t tokens = 0;
  for (const Example& e : examples) tokens += e.length();
  fmt::print("{} examples, {} tokens; {}\n", examples.size(), tokens, model.info().architecture);
  int64_t trained = 0, total = 0;
  model.visit_parameters([&](const Parameter& p) { total += p.shape.numel(); });
  total += quantized_numel(model);
  method->visit([&](const Parameter& p) { total += p.shape.numel(); });
  const std::vector<Parameter*> parameters = select_parameters(model, *method);
  for (const Parameter* p : parameters) trained += p->shape.numel();
  fmt::print("{}: {} of {} parameters train ({:.2f} %)\n", info.name, trained, total,
             100.0 * static_cast<double>(trained) / static_cast<double>(total));
  std::fflush(stdout);

  o.run.fingerprint = fmt::format("{} {} {} {}", o.model, info.name,
                                  method->settings().json().dump(), name_of(o.dtype));
  const double consistency = method->consistency();
  const TrainResult result =
      train(model, parameter_groups(parameters, *method, o.run.weight_decay), examples,
            consistency > 0 ? with_consistency(load.task, consistency) : loss_of(load.task), o.run,
            method.get());
  require(!result.interrupted,
          "interrupted after step {}; go on with the same command and --resume", result.steps);
  fmt::print("trained {} steps in {}, {:.0f} tokens/s, last loss {:.4f}\n", result.steps,
             human_time(result.seconds),
             static_cast<double>(result.tokens) / std::max(result.seconds, 1e-9), result.last_loss);

  method->finish_training();
  const std::filesystem::path adapter = o.run.output / "adapter";
  save_adapter(adapter, model, *method, info, o.model, data.labels);
  // Later the adapter is spoken to as it was trained.
  if (data.chat) write_file_atomically(adapter / "chat_template.jinja", data.chat->text());
  if (scored) {
    const Scores after = score_dev(o, data, model, tokenizer);
    show_samples("After:", after, data.dev_inputs, o.samples);
    if (!before.values.empty()) fmt::print("  held out before: {}\n", before.line());
    fmt::print("  held out after:  {}\n", after.line());
    nlohmann::json results{{"method", info.name},
                           {"steps", result.steps},
                           {"train_seconds", result.seconds},
                           {"trained_parameters", trained},
                           {"total_parameters", total},
                           {"peak_memory_bytes", peak_rss_bytes()}};
    for (const auto& [name, value] : before.values) results["before"][name] = value;
    for (const auto& [name, value] : after.values) results["after"][name] = value;
    write_file_atomically(o.run.output / "results.json", results.dump(2) + "\n");
  }
  int64_t size = 0;
  for (const auto& file : std::filesystem::directory_iterator(adapter))
    if (file.path().extension() == ".safetensors")
      size += static_cast<int64_t>(std::filesystem::file_size(file));
  fmt::print("\nadapter: {} ({}); peak memory {}\n", adapter.string(), human_bytes(size),
             human_bytes(peak_rss_bytes()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("finetune: adapt a model folder to a data file, training only a few parameters");
  Options o;
  add_config_option(app);
  app.add_option("--model", o.model, "Hugging Face model folder")->required();
  app.add_option("--train", o.train,
                 "data: .tsv (label<TAB>text[<TAB>text_b]), .conll (token<TAB>tag), .jsonl "
                 "({\"input\", \"output\"} or {\"messages\"}) or .txt")
      ->required();
  app.add_option("--dev", o.dev, "held-out data of the same kind");
  app.add_option("--output", o.run.output, "folder for adapter, checkpoints and results")
      ->required();
  std::string names;
  for (const MethodInfo& m : methods())
    names += "\n  " + m.name + ": " + m.summary + " (" + m.paper + ")";
  app.add_option("--method", o.method, "what trains:" + names)->capture_default_str();
  add_method_options(app, o.method_flags);
  app.add_option("--max-length", o.max_length, "most tokens of an example; 0: the model's context")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--truncate", o.truncate, "cut longer examples instead of stopping");
  app.add_option("--separator", o.separator, "between input and output")->capture_default_str();
  add_chat_template_option(app, o.chat_template);
  app.add_flag("--gradient-checkpointing", o.gradient_checkpointing,
               "less memory for about a third more time");
  app.add_option("--samples", o.samples, "outputs shown before and after")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--dev-limit", o.dev_limit, "score the first records of --dev only; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-new-tokens", o.max_new_tokens, "of generated outputs")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--no-baseline", o.no_baseline, "do not score the base first");
  add_quant_options(app, o.quant);
  add_dtype_option(app, o.dtype);
  add_train_options(app, o.run);
  return run_tool(app, argc, argv, [&] { finetune(app, o); });
}
