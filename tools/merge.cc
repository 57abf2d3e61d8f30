// Puts an adapter into its base and writes a plain model folder.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "quant/quantizer.h"
#include "tools/train/cli.h"
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

Config without_quantization(const Config& config) {
  nlohmann::json json = config.json();
  json.erase("quantization_config");
  return Config::parse(json.dump(), config.file());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("merge: put an adapter into its base model");
  std::string model, adapter, output;
  DType dtype = DType::f32;
  int64_t max_shard_bytes = kMaxShardBytes;
  app.add_option("--model", model, "base folder; default: the one that adapter_config.json names");
  app.add_option("--adapter", adapter, "adapter folder")->required();
  app.add_option("--output", output, "folder for the merged model")->required();
  app.add_option("--max-shard-size", max_shard_bytes,
                 "larger models are written in several files; a number of bytes, or as in 5GB or "
                 "500MB")
      ->default_str("5GB")
      ->transform(CLI::AsSizeValue(true))
      ->check(CLI::PositiveNumber);
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    OpenModel open = open_model(model, adapter, DType::f32);
    require(!std::filesystem::exists(output) || !std::filesystem::equivalent(output, open.base),
            "{}: is the base folder; choose another --output", output);
    // A quantized base is restored first: what was learnt rarely survives quantizing again.
    Tensor before;
    if (quantized_numel(*open.model) > 0) {
      before = answers(*open.model);
      dequantize_linears(*open.model, DType::f32);
    }
    open.method->merge(*open.model);
    save_model(*open.model, without_quantization(open.config), output, dtype, open.labels,
               max_shard_bytes);
    if (before.defined()) {
      const LoadOptions load{.task = open.model->info().task,
                             .labels = static_cast<int64_t>(open.labels.size())};
      fmt::print(
          "the base was quantized; the merged weights are dense, in {}. Over 64 tokens the answers "
          "differ from the adapter's on the quantized base by {:.2e} of their largest\n",
          name_of(dtype), relative_difference(before, answers(*load_model(output, load).model)));
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
