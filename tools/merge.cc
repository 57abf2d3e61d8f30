// Puts an adapter into its base and writes a plain model folder, or several adapters of one base
// into one.
#include <CLI/CLI.hpp>

#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "peft/combine_files.h"
#include "quant/bnb_files.h"
#include "quant/quantizer.h"
#include "tools/train/cli.h"
#include "tools/train/quant_options.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

// What the model answers to a fixed sequence of ids, in f32.
Tensor answers(Model& model) {
  const NoGrad no_grad;
  const auto vocabulary = static_cast<uint32_t>(model.info().vocab_size);
  std::vector<int32_t> ids, positions;
  for (uint32_t i = 0;
       i < std::min<uint32_t>(64, static_cast<uint32_t>(model.info().max_positions) / 2); ++i) {
    ids.push_back(static_cast<int32_t>((i * 7919u + 3u) % vocabulary));
    positions.push_back(static_cast<int32_t>(i));
  }
  const auto count = static_cast<int32_t>(ids.size());
  ModelInput input{ids, {positions, {}, {}, {0, count}}, nullptr};
  if (model.info().encoder_decoder()) {
    input.source_ids = ids;
    input.source = input.packing;
  }
  if (!model.info().causal) input.packing.type_ids.assign(ids.size(), 0);
  const Var h = model.hidden(input);
  const Var out =
      model.head_modules().empty() ? model.lm_logits(h) : model.class_logits(h, input.packing);
  return out.value().to(DType::f32);
}

// The largest difference over the largest magnitude.
double relative_difference(const Tensor& a, const Tensor& b) {
  double difference = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    difference = std::max(difference, std::abs(a.item(i) - b.item(i)));
    size = std::max(size, std::abs(a.item(i)));
  }
  return difference / std::max(size, 1e-30);
}

// The base's config.json for what is written: dense to begin with, and with the classes' names.
Config config_of(const OpenModel& open) {
  nlohmann::json json = open.config.json();
  json.erase("quantization_config");
  if (!open.labels.empty()) {
    json.erase("num_labels");
    json["id2label"] = json["label2id"] = nlohmann::json::object();
    for (size_t i = 0; i < open.labels.size(); ++i) {
      json["id2label"][std::to_string(i)] = open.labels[i];
      json["label2id"][open.labels[i]] = i;
    }
  }
  return Config::parse(json.dump(), open.config.file());
}

// An error that does not name the adapter's files gets its folder.
void merge_named(OpenModel& open) {
  try {
    merge_stack(*open.model, *open.method);
  } catch (const Error& e) {
    const std::string what = e.what();
    if (what.find(open.adapter) != std::string::npos) throw;
    fail("{}: {}", open.adapter, what);
  }
}

// Writes the merged model in few bits, and what that loses.
void save_quantized(OpenModel& open, const QuantOptions& quant, const std::string& output,
                    DType dtype) {
  QuantError error;
  quantize_linears(*open.model, Quantizer(quant.spec(), quant.head, &error));
  save_quantized_model(*open.model, config_of(open), output, dtype);
  fmt::print("the merged weights in {}, blocks of {}{}: relative error {:.4f} (worst {:.4f}, {})\n",
             quant.type, quant.block_size, quant.double_quant ? ", double" : "", error.mean,
             error.worst, error.worst_layer);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("merge: put an adapter into its base model, or several LoRA adapters into one");
  std::string model, output;
  std::vector<std::string> adapters;
  std::vector<double> weights;
  CombineOptions combination;
  combination.type = "";
  DType dtype = DType::f32;
  QuantOptions quant;
  int64_t max_shard_bytes = kMaxShardBytes;
  app.add_option("--model", model, "base folder; default: the one that adapter_config.json names");
  app.add_option("--adapter", adapters, "adapter folder; with --combination one or more")
      ->required();
  app.add_option("--output", output, "folder for the merged model or the combined adapter")
      ->required();
  app.add_option("--max-shard-size", max_shard_bytes,
                 "larger models are written in several files; a number of bytes, or as in 5GB or "
                 "500MB")
      ->default_str("5GB")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::PositiveNumber);
  add_dtype_option(app, dtype);
  app.add_option("--combination", combination.type,
                 "write one adapter of several instead of a model: " +
                     fmt::format("{}", fmt::join(combination_types(), ", ")))
      ->check(CLI::IsMember(combination_types()));
  app.add_option("--weights", weights, "of the combination, one for each adapter; default: 1");
  app.add_option("--density", combination.density,
                 "share of values that ties, dare and magnitude_prune keep");
  app.add_option("--majority-sign", combination.majority_sign,
                 "of ties: of the values' sum (total) or of most of them (frequency)")
      ->capture_default_str();
  app.add_option("--svd-rank", combination.rank, "rank of the result; 0: the adapters' largest")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", combination.seed, "of dare")->capture_default_str();
  add_quant_options(app, quant);
  return run_tool(app, argc, argv, [&] {
    if (!combination.type.empty()) {
      if (weights.empty()) weights.assign(adapters.size(), 1.0);
      combine_adapters({adapters.begin(), adapters.end()}, weights, combination, output,
                       !model.empty());
      fmt::print("combined adapter: {}\n", output);
      return;
    }
    require(adapters.size() == 1,
            "{} adapters: pass --combination to make one of them, and merge that", adapters.size());
    require(weights.empty(), "--weights are for a --combination");
    const std::string& adapter = adapters[0];
    const bool in_few_bits = quant.spec().has_value();
    OpenModel open = open_model(model, adapter, DType::f32);
    require(!std::filesystem::exists(output) || !std::filesystem::equivalent(output, open.base),
            "{}: is the base folder; choose another --output", output);
    // A quantized base is restored first: what was learnt rarely survives quantizing again, and how
    // much of it does is reported.
    const bool restored = quantized_numel(*open.model) > 0;
    const Tensor before = restored || in_few_bits ? answers(*open.model) : Tensor();
    if (restored) dequantize_linears(*open.model, DType::f32);
    merge_named(open);
    if (in_few_bits)
      save_quantized(open, quant, output, dtype);
    else
      save_model(*open.model, config_of(open), output, dtype, open.labels, max_shard_bytes);
    if (restored && !in_few_bits)
      fmt::print("the base was quantized; the merged weights are dense, in {}\n", name_of(dtype));
    if (before.defined()) {
      const auto as_stored = make_quantizer({}, Config::load(output));
      const LoadOptions load{.task = open.model->info().task,
                             .labels = static_cast<int64_t>(open.labels.size()),
                             .weights = as_stored.get()};
      fmt::print(
          "over 64 tokens the answers differ from the adapter's on its base by {:.2e} of their "
          "largest\n",
          relative_difference(before, answers(*load_model(output, load).model)));
    }
    const auto copy = [&](const std::filesystem::path& folder, const char* file) {
      if (std::filesystem::exists(folder / file))
        write_file_atomically(std::filesystem::path(output) / file, read_text(folder / file));
    };
    for (const char* file :
         {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt",
          "tokenizer.model", "spiece.model", "added_tokens.json", "special_tokens_map.json",
          "generation_config.json", "chat_template.json", "chat_template.jinja"})
      copy(open.base, file);
    copy(adapter, "chat_template.jinja");  // the one it was trained with
    fmt::print("merged model: {}\n", output);
  });
}
