// Fine-tunes a model folder on a data file with any method of the registry; writes an adapter.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/subset.h"
#include "engine/device.h"
#include "engine/files/atomic_file.h"
#include "engine/files/folder_lock.h"
#include "peft/hub_method.h"
#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"
#include "tools/train/cli.h"
#include "tools/train/heat_map.h"
#include "tools/train/method_options.h"
#include "tools/train/progress.h"
#include "tools/train/quant_options.h"
#include "tools/train/run_model.h"
#include "tools/train/run_record.h"
#include "tools/train/tasks/options.h"
#include "tools/train/tasks/task.h"

using namespace lk;

namespace {

struct Options {
  std::string model, train, dev, method = "lora", variant, start_from;
  std::vector<std::string> stack_on;
  int64_t samples = 3, train_limit = 0;
  double head_lr = 0;  // 0: that of the run
  bool gradient_checkpointing = false, no_baseline = false;
  DType dtype = DType::f32;
  ActivationStorage activations = ActivationStorage::compute;
  Device device = Device::cpu;
  QuantOptions quant;
  TrainOptions run;
  TaskOptions task;
  ScoreOptions score;  // of --dev
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

// The examples that train, no longer than the model takes.
std::vector<Example> encode_train(const TaskData& task, const Model& model,
                                  const Tokenizer& tokenizer, const Options& o) {
  const EncodeOptions e = encode_options(model, o.score);
  const int64_t context = model.info().max_positions;
  require(e.max_length <= model.max_length(),
          "--max-length {} is above the model's context of {}, of which virtual tokens take {}",
          e.max_length, context, context - model.max_length());
  std::vector<Example> all = task.examples(model, tokenizer, e), out;
  if (o.train_limit == 0) return all;
  for (const size_t i : subset(all.size(), o.train_limit, o.run.seed, o.train))
    out.push_back(std::move(all[i]));
  return out;
}

// The ranks that are left in each matrix, and how far the gates opened while --dev was scored.
std::vector<LayerMap> layer_maps(Method& method) {
  std::vector<NamedShape> shapes;
  method.visit([&](const Parameter& p) { shapes.push_back({p.name, p.shape}); });
  std::vector<LayerMap> out;
  if (LayerMap ranks = rank_map(shapes); !ranks.layers.empty() && !ranks.constant())
    out.push_back(std::move(ranks));
  if (const auto gates = gates_of(method); !gates.empty() && !gates[0].of_documents.empty())
    out.push_back(gate_map(gates));
  return out;
}

// Where the task's template has places for virtual tokens, the method's stand there.
void place_virtual_tokens(Settings& settings, const MethodInfo& info, const TaskData& task) {
  if (task.virtual_tokens() == 0) return;
  require(settings.has("prompt_placement"),
          "the template has {} virtual tokens ([P]), which --method {} does not train; ptuning and "
          "prompt do",
          task.virtual_tokens(), info.name);
  settings.set("prompt_placement", "template");
  settings.set("num_virtual_tokens", task.virtual_tokens());
}

// A saved adapter with what it learnt.
std::unique_ptr<Method> start_from(const Options& o, const MethodInfo& info, const Settings& ours,
                                   Model& model) {
  AdapterConfig start = read_adapter_config(o.start_from);
  require(start.info == &info, "--start-from {}: the adapter is of the method {}, not {}",
          o.start_from, start.info->name, info.name);
  require(o.variant.empty() && std::all_of(o.method_flags.begin(), o.method_flags.end(),
                                           [](const auto& flag) { return flag.second.empty(); }),
          "--start-from takes the adapter's settings as they are; leave the method's options out");
  if (ours.has("prompt_placement") && ours.text("prompt_placement") == "template")
    for (const char* key : {"prompt_placement", "num_virtual_tokens"}) {
      const auto theirs = start.settings.json().value(key, nlohmann::json());
      require(theirs == ours.json()[key], "--start-from {}: {} is {} there, the template needs {}",
              o.start_from, key, theirs.dump(), ours.json()[key].dump());
    }
  const auto lower = o.stack_on.empty() ? stacked_on(start.settings) : o.stack_on;
  if (ours.has("lorikeet")) start.settings.set("lorikeet", ours.json()["lorikeet"]);
  if (!lower.empty()) stack_on(start.settings, lower);
  return load_adapter(o.start_from, start, model);
}

std::unique_ptr<Method> attach_method(const Options& o, const MethodInfo& info,
                                      const TaskKind& kind, const TaskData& task, Model& model,
                                      const Tokenizer& tokenizer) {
  Settings settings = method_settings(info, o.variant, o.method_flags);
  remember(settings, o.quant);
  remember(settings, kind, task.memory());
  if (!o.stack_on.empty()) stack_on(settings, o.stack_on);
  place_virtual_tokens(settings, info, task);
  auto method = o.start_from.empty() ? info.make(settings) : start_from(o, info, settings, model);
  model.visit_linears([&](Linear& linear) {
    const auto* w = dynamic_cast<QuantizedWeight*>(&linear.weight());
    if (w && method->selects(w->name()))
      fail(
          "--method {} trains '{}', which is quantized and cannot be trained; leave --quant out, "
          "or choose a method that adds weights (lora, qlora)",
          info.name, w->name());
  });
  if (!o.start_from.empty()) return method;
  method->prepare(
      [&](const std::string& text) {
        const std::vector<TokenId> ids = tokenizer.encode(text, false);
        return std::vector<int32_t>(ids.begin(), ids.end());
      },
      task.labels());
  method->below = load_below(settings, model);
  method->attach(model, o.run.seed);
  return method;
}

void finetune(CLI::App& app, Options o) {
  const auto processes = join_training(o.device);
  const bool first = processes->rank() == 0;
  o.run.processes = processes.get();
  require_device(o.device);
  require(!o.run.cuda_graphs || o.device == Device::cuda, "--cuda-graphs needs --device cuda");
  if (app.count("--method") == 0 && !o.start_from.empty())
    o.method = read_adapter_config(o.start_from).info->name;
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
  o.task.seed = o.run.seed;
  const TaskKind& kind = task_kind(o.train, config, o.task);
  const bool new_head =
      kind.head == Task::classification || kind.head == Task::token_classification;
  require(
      o.head_lr == 0 || new_head,
      "--head-lr: this task has no head; classes of a .tsv, read without --template, and tags of "
      "a .conll have one");
  const auto task = kind.make(o.train, o.task, {});
  const std::vector<std::string> labels = task->labels();
  require(o.dev.empty() || data_kind(o.dev) == data_kind(o.train),
          "{} and {} are of different kinds", o.train, o.dev);
  const auto dev = o.dev.empty() || !first ? nullptr : kind.make(o.dev, o.task, labels);
  std::optional<FolderLock> lock;
  if (first) {
    lock.emplace(o.run.output);
    save_options(app, o.run.output);
  }

  LoadOptions load;
  load.task = kind.head;
  if (new_head) load.labels = static_cast<int64_t>(labels.size());
  load.compute = o.dtype;
  load.seed = o.run.seed;
  const auto quantizer = make_quantizer(o.quant, config);
  load.weights = quantizer.get();
  LoadedModel loaded = load_model(o.model, load);
  Model& model = *loaded.model;
  model.gradient_checkpointing = o.gradient_checkpointing;
  model.factor_on = o.device;
  const Tokenizer tokenizer = Tokenizer::load(o.model);
  require(tokenizer.vocab_size() <= model.info().vocab_size,
          "{}: the tokenizer has {} tokens, the model's embedding {}", o.model,
          tokenizer.vocab_size(), model.info().vocab_size);
  if (first)
    for (const std::string& name : loaded.initialised)
      fmt::print(stderr, "new weights: {}\n", name);

  for (TaskData* data : {task.get(), dev.get()})
    if (data) data->open({model, tokenizer, o.model, ""});
  // Before anything slow: bad data is found here.
  const int64_t context = model.max_length();
  std::vector<Example> examples = encode_train(*task, model, tokenizer, o);

  Scores before;
  // Virtual tokens in a template have no value yet.
  if (dev && !o.no_baseline && !new_head && task->virtual_tokens() == 0) {
    move_parameters(model, nullptr, o.device);
    before = dev->score(model, tokenizer, o.score);
    move_parameters(model, nullptr, Device::cpu);  // where initial values are made
    show_samples("Before, the base answers:", before, dev->inputs(), o.samples);
    fmt::print("  held out: {}\n\n", before.line());
  }

  const auto method = attach_method(o, info, kind, *task, model, tokenizer);
  // Virtual tokens take a part of the context.
  if (model.max_length() < context) examples = encode_train(*task, model, tokenizer, o);
  int64_t tokens = 0;
  for (const Example& e : examples) tokens += e.length();
  fmt::print("{} examples, {} tokens; {}\n", examples.size(), tokens, model.info().architecture);
  int64_t trained = 0;
  const int64_t total = parameter_count(model, method.get());
  move_parameters(model, method.get(), o.device);
  const std::vector<Parameter*> parameters = select_parameters(model, *method);
  for (const Parameter* p : parameters) trained += p->shape.numel();
  fmt::print("{}: {} of {} parameters train ({:.2f} %)\n", info.name, trained, total,
             100.0 * static_cast<double>(trained) / static_cast<double>(total));
  std::fflush(stdout);

  o.run.fingerprint =
      fmt::format("{} {} {} {}{}{}", o.model, info.name, method->settings().json().dump(),
                  name_of(o.dtype), described(o.task), o.start_from);
  if (o.train_limit > 0) o.run.fingerprint += fmt::format(" --train-limit {}", o.train_limit);
  if (o.activations != ActivationStorage::compute)
    o.run.fingerprint += fmt::format(" activations {}", name_of(o.activations));
  if (o.head_lr > 0) o.run.fingerprint += fmt::format(" --head-lr {}", o.head_lr);
  HeadRate head;
  if (o.head_lr > 0) head = {model.head_modules(), o.head_lr / o.run.lr};
  const StoreActivations storage(o.activations);
  const double consistency = method->consistency();
  const BatchLoss loss = [&](Model& m, const Batch& batch) { return task->loss(m, batch); };
  const Predict both = [&](Model& m, const Batch& batch) { return task->predict(m, batch); };
  const TrainResult result =
      train(model, parameter_groups(parameters, *method, o.run.weight_decay, head), examples,
            consistency > 0 ? with_consistency(both, consistency) : loss, o.run, method.get(),
            [&](std::span<const Example* const> chosen, uint64_t number) {
              return task->batch(chosen, number);
            });
  if (o.run.cuda_graphs && first)
    fmt::print(stderr, "CUDA graphs: {} made, {} launched again with new numbers\n",
               result.graphs.made, result.graphs.updated);
  require(!result.interrupted,
          "interrupted after step {}; go on with the same command and --resume", result.steps);
  fmt::print("trained {} steps in {}, {:.0f} tokens/s, last loss {:.4f}\n", result.steps,
             human_time(result.seconds),
             static_cast<double>(result.tokens) / std::max(result.seconds, 1e-9), result.last_loss);
  if (!first) return;

  method->finish_training();
  const std::filesystem::path adapter = o.run.output / "adapter";
  save_adapter(adapter, model, *method, info, o.model, labels);
  task->save(adapter);
  if (dev) {
    if (!gates_of(*method).empty()) o.score.round_to = 1;  // gates of records alone
    const auto start = std::chrono::steady_clock::now();
    const Scores after = dev->score(model, tokenizer, o.score);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    show_samples("After:", after, dev->inputs(), o.samples);
    if (!before.values.empty()) fmt::print("  held out before: {}\n", before.line());
    fmt::print("  held out after:  {}\n", after.line());
    const auto held_out = dev->inputs().size();
    RunRecord record{.method = info.name,
                     .examples = static_cast<int64_t>(examples.size()),
                     .steps = result.steps,
                     .planned_steps = result.planned,
                     .scored = static_cast<int64_t>(o.score.count_of(held_out)),
                     .held_out = static_cast<int64_t>(held_out),
                     .train_seconds = result.seconds,
                     .score_seconds = seconds.count(),
                     .trained_parameters = trained,
                     .total_parameters = total,
                     .peak_memory_bytes = peak_rss_bytes(),
                     .before = {before.values.begin(), before.values.end()},
                     .after = {after.values.begin(), after.values.end()},
                     .maps = layer_maps(*method)};
    for (const LayerMap& map : record.maps) {
      fmt::print("\n{}", text_of(map));
      write_file_atomically(o.run.output / (map.title + ".svg"), heat_map_svg(map));
    }
    write_record(o.run.output / "results.json", record);
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
  app.add_option("--train-limit", o.train_limit,
                 "train on so many examples: the first of a shuffle of --train by --seed, whatever "
                 "their classes, so that a smaller set is a part of a larger one; all labels of "
                 "--train stay known; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--output", o.run.output, "folder for adapter, checkpoints and results")
      ->required();
  std::string names;
  for (const MethodInfo& m : methods())
    names += "\n  " + m.name + ": " + m.summary + " (" + m.paper + ")";
  app.add_option("--method", o.method, "what trains:" + names)->capture_default_str();
  app.add_option("--variant", o.variant,
                 "whose settings the method takes where it is not told: original (the authors'), "
                 "hf, adapterhub; default: hf where HF PEFT has the method, else original "
                 "(bin/inspect --variants METHOD)")
      ->check(CLI::IsMember({"original", "hf", "adapterhub"}));
  app.add_option("--start-from", o.start_from,
                 "an adapter folder: go on from what it learnt, with its settings");
  app.add_option("--stack-on", o.stack_on,
                 "adapter folders: train on top of them, which stay as they are, the lowest first");
  add_method_options(app, o.method_flags);
  app.add_option("--max-length", o.score.max_length,
                 "most tokens of an example; 0: the model's context")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--truncate", o.score.truncate, "cut longer examples instead of stopping");
  app.add_option("--separator", o.score.separator, "between input and output")
      ->capture_default_str();
  add_task_options(app, o.task);
  add_loss_options(app, o.task);
  app.add_flag("--gradient-checkpointing", o.gradient_checkpointing,
               "less memory for about a third more time");
  add_activations_option(app, o.activations);
  app.add_option("--samples", o.samples, "outputs shown before and after")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--dev-limit", o.score.limit, "score the first records of --dev only; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-new-tokens", o.score.max_new_tokens, "of generated outputs")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--no-baseline", o.no_baseline, "do not score the base first");
  add_quant_options(app, o.quant);
  add_dtype_option(app, o.dtype);
  add_device_option(app, o.device);
  app.add_flag("--cuda-graphs", o.run.cuda_graphs,
               "with --device cuda, launch the kernels of a batch's passes together; same results");
  add_train_options(app, o.run);
  app.add_option("--head-lr", o.head_lr, "peak learning rate of the task's head; 0: that of --lr")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  return run_tool(app, argc, argv, [&] { finetune(app, o); });
}
