// Scores a model, with an adapter or without, on a data file.
#include <CLI/CLI.hpp>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/files/atomic_file.h"
#include "peft/hub_method.h"
#include "tools/train/cli.h"
#include "tools/train/in_context.h"
#include "tools/train/run_model.h"
#include "tools/train/run_record.h"
#include "tools/train/tasks/options.h"

using namespace lk;

namespace {

std::string_view words_for(Task head) {
  switch (head) {
    case Task::classification:
      return "classes for texts";
    case Task::token_classification:
      return "classes for tokens";
    case Task::masked_lm:
      return "head of a masked language model";
    default:
      return "head of a language model";
  }
}

// The model, and the data as the task that it was trained on, or that fits it.
struct Opened {
  OpenModel model;
  std::unique_ptr<TaskData> task;
};

Opened open_task(ModelSource source, const std::string& data, TaskOptions options, DType dtype,
                 Device device, QuantError& error) {
  RememberedTask memory;
  if (source.adapter_config) memory = remembered_task(source.adapter_config->settings);
  const TaskKind& kind = task_kind(data, source.config, options, memory.kind);
  const bool same = &kind == memory.kind;
  if (same && options.template_text.empty()) options.template_text = memory.template_text;
  if (same && options.verbalizer.empty()) options.verbalizer = memory.verbalizer;
  const auto labels = same ? memory.labels : source.labels;
  // A base is opened with the head that its data ask for, where its files have it.
  if (!source.adapter_config && kind.head == Task::masked_lm) source.head = kind.head;
  require(source.head == kind.head,
          "{}: read as the task '{}', but the model has no {}; pass the --adapter trained on such "
          "data",
          data, kind.name, words_for(kind.head));
  auto task = kind.make(data, options, labels);
  OpenModel open = open_model(source, dtype, device, &error);
  task->open({*open.model, open.tokenizer, open.base, open.adapter});
  return {std::move(open), std::move(task)};
}

// The means on the terminal; in `file`, unless it is "", each of the `records`.
void show_gates(Method* method, const std::string& file, size_t records) {
  require(method != nullptr, "--gates: pass the --adapter whose gates are wanted");
  const auto gates = gates_of(*method);
  require(!gates.empty(), "--gates: this adapter has no gates");
  fmt::print("{}", text_of(gate_map(gates)));
  if (file.empty()) return;
  std::string text;
  for (const GateReport& g : gates) {
    require(g.of_documents.size() == records,
            "--gates-file: this task reads {} texts for its {} records, so that no gate is a "
            "record's own; classes, tags and cloze questions have one each",
            g.of_documents.size(), records);
    text += (text.empty() ? "" : "\t") + g.part + " " + g.name;
  }
  for (size_t i = 0; i < records; ++i)
    for (size_t g = 0; g < gates.size(); ++g)
      text += fmt::format("{}{:.6g}", g == 0 ? "\n" : "\t", gates[g].of_documents[i]);
  write_file_atomically(file, text + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("evaluate: score a model on a data file");
  std::string model, adapter, data, predictions;
  std::vector<std::string> stack_on;
  ScoreOptions o;
  InContextOptions shown;
  TaskOptions task;
  QuantOptions quant;
  QuantError error;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool gates = false;
  std::string gates_file, results;
  app.add_option("--model", model, "Hugging Face model folder; with --adapter it may be left out");
  app.add_option("--adapter", adapter, "adapter folder");
  add_stack_option(app, stack_on);
  app.add_option("--data", data, ".tsv, .conll, .jsonl or .txt")->required();
  app.add_option("--predictions", predictions,
                 "write the outputs to this file, one JSON string a line");
  app.add_option("--separator", o.separator, "between input and output")->capture_default_str();
  app.add_option("--max-length", o.max_length, "most tokens of an example; 0: the model's context")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--truncate", o.truncate, "cut longer examples instead of stopping");
  app.add_option("--max-new-tokens", o.max_new_tokens, "of generated outputs")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--num-beams", o.num_beams, "write outputs by beam search with this many; 1: none")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--limit", o.limit, "the first records only; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  CLI::Option_group& in_context = *app.add_option_group(
      "in-context learning", "show the task in the prompt instead of training");
  const CLI::Option* shots =
      in_context
          .add_option("--shots", shown.shots, "examples in the prompt; 0 shows the template alone")
          ->check(CLI::NonNegativeNumber);
  in_context.add_option("--shots-from", shown.pool, "data that the examples are drawn from");
  in_context
      .add_option(
          "--shots-limit", shown.pool_limit,
          "draw them from so many of --shots-from, those that finetune --train-limit trains "
          "on with the same --seed; 0: from all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  in_context
      .add_option("--select", shown.selection,
                  "random: anew for each prompt; nearest: by embedding")
      ->capture_default_str()
      ->check(CLI::IsMember({"random", "nearest"}));
  in_context.add_flag("--calibrate", shown.calibrate,
                      "subtract what a choice gets when the text is N/A");
  add_task_options(app, task);
  app.add_flag("--pseudo-perplexity", task.pseudo_perplexity,
               "of plain text under a masked language model: mask each token by itself");
  app.add_option("--seed", task.seed, "of the choice of examples, and of masking")
      ->capture_default_str();
  app.add_flag("--gates", gates,
               "show how far the gates of UniPELT open, by layer and part, on average");
  app.add_option(
      "--gates-file", gates_file,
      "write them to this file for each record: a line of numbers, parted by tabs, under "
      "the gates' names");
  app.add_option("--results", results, "write scores, seconds and memory to this file, as JSON");
  add_quant_options(app, quant);
  add_dtype_option(app, dtype);
  add_device_option(app, device);
  return run_tool(app, argc, argv, [&] {
    if (gates || !gates_file.empty()) o.round_to = 1;  // a gate for each record, none of padding
    ModelSource source = find_model(model, adapter, quant);
    if (!stack_on.empty()) restack(source, stack_on);
    std::optional<Opened> opened;
    std::optional<OpenModel> in_prompt;
    Scores scores;
    size_t records = 0;
    const auto start = std::chrono::steady_clock::now();
    if (shots->count() > 0) {
      shown.template_text = task.template_text;
      shown.verbalizer = task.verbalizer;
      shown.seed = task.seed;
      in_prompt = open_model(source, dtype, device, &error);
      scores = score_in_context(*in_prompt, data, shown, o, &records);
    } else {
      opened = open_task(source, data, task, dtype, device, error);
      scores = opened->task->score(*opened->model.model, opened->model.tokenizer, o);
      records = opened->task->inputs().size();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const OpenModel& open = opened ? opened->model : *in_prompt;
    const auto quantization = std::make_pair("quantization error", error.mean);
    if (error.layers > 0) scores.values.push_back(quantization);
    fmt::print("{}\n", scores.line());
    // On record for a dense base too: 0, for tables that have both.
    if (quantized_numel(*open.model) == 0) scores.values.push_back(quantization);
    if (gates || !gates_file.empty())
      show_gates(open.method.get(), gates_file, scores.outputs.size());
    if (!results.empty())
      write_record(results, {.method = "none",
                             .scored = static_cast<int64_t>(scores.outputs.size()),
                             .held_out = static_cast<int64_t>(records),
                             .score_seconds = seconds.count(),
                             .total_parameters = parameter_count(*open.model, open.method.get()),
                             .peak_memory_bytes = peak_rss_bytes(),
                             .after = {scores.values.begin(), scores.values.end()}});
    if (predictions.empty()) return;
    std::string text;
    for (const std::string& output : scores.outputs) text += nlohmann::json(output).dump() + "\n";
    write_file_atomically(predictions, text);
  });
}
