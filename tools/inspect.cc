// What a model folder, an adapter or a data file holds.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>

#include "data/batch.h"
#include "engine/files/weight_files.h"
#include "peft/layer_map.h"
#include "peft/methods_table.h"
#include "peft/variants.h"
#include "tools/inspect/code_books.h"
#include "tools/plan/plan_command.h"
#include "tools/plan/shapes.h"
#include "tools/train/chat_run.h"
#include "tools/train/cli.h"
#include "tools/train/progress.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

void list_tensors(const WeightFiles& files, bool all) {
  std::map<DType, int64_t> bytes;
  int64_t count = 0;
  for (const std::string& name : files.names()) {
    const int64_t n = files.shape(name).numel();
    count += n;
    bytes[files.dtype(name)] += n * size_of(files.dtype(name));
    if (all) fmt::print("  {:<72} {:>5} {}\n", name, name_of(files.dtype(name)), files.shape(name));
  }
  fmt::print("parameters: {} in {} tensors", count, files.names().size());
  for (const auto& [dtype, n] : bytes) fmt::print(", {} in {}", human_bytes(n), name_of(dtype));
  fmt::print("\n");
}

// "rank 8 in 12 matrices", or a table where they differ.
void show_ranks(const WeightFiles& files) {
  std::vector<NamedShape> shapes;
  for (const std::string& name : files.names()) shapes.push_back({name, files.shape(name)});
  const LayerMap ranks = rank_map(shapes);
  if (ranks.layers.empty()) return;
  if (!ranks.constant()) return fmt::print("{}", text_of(ranks));
  std::string places;
  for (const std::string& place : ranks.places) places += (places.empty() ? "" : ", ") + place;
  fmt::print("rank {} in each of {} matrices: {} of {} layers\n", ranks.values[0],
             ranks.values.size(), places, ranks.layers.size());
}

void inspect_model(const std::filesystem::path& folder, bool all) {
  const Config config = Config::load(folder);
  const auto model = build_model(config, task_of(config));
  const ModelInfo& info = model->info();
  fmt::print(
      "architecture: {}\nlayers {}, hidden_size {}, heads {} (key heads {}), vocabulary {}, "
      "context {}\n",
      config.architecture(), info.layers, info.hidden_size, info.heads, info.kv_heads,
      info.vocab_size, info.max_positions);
  list_tensors(WeightFiles::open(folder), all);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  fmt::print("tokenizer: {}, {} tokens\n", tokenizer.kind(), tokenizer.vocab_size());
  if (const auto name = ChatTemplate::find({folder})) fmt::print("chat template: {}\n", *name);
  std::map<std::string, std::pair<std::string, int>> targets;
  model->visit_linears([&](const Linear& l) {
    auto& entry = targets[l.name().substr(l.name().rfind('.') + 1)];
    entry.first = name_of(l.role());
    ++entry.second;
  });
  fmt::print("target modules:");
  for (const auto& [name, entry] : targets)
    fmt::print(" {} ({}, {}x)", name, entry.first, entry.second);
  fmt::print("\n");
}

void inspect_chat(const std::string& data, const Tokenizer& tokenizer, const ChatTemplate& chat,
                  const EncodeOptions& options, int64_t count) {
  const ChatData d = read_chat_jsonl(data);
  fmt::print("{} conversations, chat template {}; -> marks the tokens that carry loss\n",
             d.records.size(), chat.name());
  const size_t shown = std::min(d.records.size(), static_cast<size_t>(count));
  for (const Example& e : encode_chat(tokenizer, chat, d, shown, options))
    fmt::print("{}\n", explain(e, tokenizer));
}

void inspect_data(const std::string& data, const std::string& model,
                  const std::string& chat_template, int64_t count) {
  const Tokenizer tokenizer = Tokenizer::load(model);
  EncodeOptions e;
  const auto eos = Config::load(model).ids("eos_token_id");
  e.eos_id = eos.empty() ? -1 : eos[0];
  e.decoder_start_id =
      build_model(Config::load(model), task_of(Config::load(model)))->info().decoder_start_id;
  if (data_kind(data) == DataKind::class_tsv) {
    const ClassData d = read_class_tsv(data);
    const auto labels = d.labels();
    fmt::print("{} records, {} labels\n", d.records.size(), labels.size());
    for (size_t i = 0; i < d.records.size() && static_cast<int64_t>(i) < count; ++i)
      fmt::print("{} = {}\n", d.records[i].label,
                 explain(encode_class_example(tokenizer, d, d.records[i], labels, e), tokenizer));
    return;
  }
  if (data_kind(data) == DataKind::chat_jsonl)
    return inspect_chat(data, tokenizer, open_chat_template(model, "", chat_template, tokenizer), e,
                        count);
  require(data_kind(data) == DataKind::text_jsonl, "{}: --data takes .tsv or .jsonl", data);
  const TextData d = read_text_jsonl(data);
  fmt::print("{} records; -> marks the tokens that carry loss\n", d.records.size());
  for (size_t i = 0; i < d.records.size() && static_cast<int64_t>(i) < count; ++i)
    fmt::print("{}\n", explain(encode_pair_example(tokenizer, d, d.records[i], e), tokenizer));
}

void inspect_code_books(const std::string& folder, int64_t block_size) {
  const Config config = Config::load(folder);
  LoadOptions load;
  load.task = task_of(config);
  fmt::print("{}", text_of(compare_code_books(*load_model(folder, load).model, block_size)));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("inspect: what a model or adapter folder is, and what a data file becomes");
  std::string folder, data, chat_template, variants;
  bool all = false, methods = false;
  int64_t count = 2, block_size = 0;
  std::string known;
  for (const std::string& name : shape_names()) known += (known.empty() ? "" : ", ") + name;
  CLI::Option* folder_option =
      app.add_option("folder", folder,
                     "model or adapter folder, or a file of weights; with --plan: a folder, or one "
                     "of " +
                         known);
  app.add_flag("--methods", methods, "list the fine-tuning methods")->excludes(folder_option);
  app.add_option("--variants", variants,
                 "how the authors' code, HF PEFT and AdapterHub differ in a method")
      ->excludes(folder_option);
  app.add_flag("--tensors", all, "list every tensor");
  app.add_option("--data", data, "show how records of this file are tokenized by the model");
  app.add_option("--count", count, "records of --data shown")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_chat_template_option(app, chat_template);
  const CLI::Option* code_books = app.add_option(
      "--code-books", block_size,
      "show how nf4, fp4, int4 and int8 would hold the model's linear layers in blocks "
      "of this size (64 is usual): their codes under the weights' histogram, and errors");
  PlanCommand plan;
  add_plan_options(app, plan);
  return run_tool(app, argc, argv, [&] {
    if (methods) return fmt::print("{}", methods_table());
    if (!variants.empty()) return fmt::print("{}", variants_table(find_method(variants)));
    require(!folder.empty(),
            "name a model or adapter folder, a file of weights, --methods or --variants METHOD");
    if (plan.wanted) return print_plan(folder, plan);
    if (code_books->count() > 0) return inspect_code_books(folder, block_size);
    if (!data.empty()) return inspect_data(data, folder, chat_template, count);
    if (std::filesystem::is_regular_file(folder))
      return list_tensors(WeightFiles::open(folder), true);
    if (!std::filesystem::exists(std::filesystem::path(folder) / "adapter_config.json"))
      return inspect_model(folder, all);
    const AdapterConfig adapter = read_adapter_config(folder);
    fmt::print("adapter: {} ({}), base {}\n", adapter.info->name, adapter.info->paper,
               adapter.base.empty() ? "not named" : adapter.base);
    for (const std::string& lower : stacked_on(adapter.settings))
      fmt::print("stacked on: {}\n", lower);
    const std::filesystem::path hub = std::filesystem::path(folder) / "adapter.safetensors";
    const WeightFiles files = WeightFiles::open(
        std::filesystem::exists(hub) ? hub : weight_file(folder, "adapter_model"));
    list_tensors(files, all);
    show_ranks(files);
  });
}
