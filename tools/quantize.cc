// Quantizes a model folder; transformers with bitsandbytes reads what it writes in nf4 and fp4.
#include <CLI/CLI.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "quant/bnb_files.h"
#include "tools/train/cli.h"
#include "tools/train/progress.h"
#include "tools/train/quant_options.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("quantize: hold a model's linear layers in 4 or 8 bits");
  std::string model, output;
  QuantOptions quant{"nf4", 64, false, false};
  DType dtype = DType::bf16;
  app.add_option("--model", model, "Hugging Face model folder")->required();
  app.add_option("--output", output, "folder for the quantized model")->required();
  add_quant_options(app, quant);
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    const Config config = Config::load(model);
    require(!stored_spec(config), "{}: is quantized already", model);
    require(!std::filesystem::exists(output) || !std::filesystem::equivalent(output, model),
            "{}: is the folder to read; choose another --output", output);
    QuantError error;
    const auto quantizer = make_quantizer(quant, config, &error);
    LoadOptions load;
    load.compute = dtype;
    load.weights = quantizer.get();
    const bool classifier =
        config.architecture().find("SequenceClassification") != std::string::npos;
    load.task = classifier                                  ? Task::classification
                : config.string("model_type", "") == "bert" ? Task::none
                                                            : Task::causal_lm;
    const LoadedModel loaded = load_model(model, load);
    save_quantized_model(*loaded.model, config, output, dtype);
    for (const char* file : {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json",
                             "merges.txt", "special_tokens_map.json", "generation_config.json"}) {
      const auto from = std::filesystem::path(model) / file;
      if (std::filesystem::exists(from))
        write_file_atomically(std::filesystem::path(output) / file, read_text(from));
    }
    fmt::print(
        "{} linear layers in {}, blocks of {}{}; relative error {:.4f} (worst {:.4f}, {})\n"
        "quantized model: {} ({}); peak memory {}\n",
        error.layers, quant.type, quant.block_size, quant.double_quant ? ", double" : "",
        error.mean, error.worst, error.worst_layer, output,
        human_bytes(static_cast<int64_t>(
            std::filesystem::file_size(std::filesystem::path(output) / "model.safetensors"))),
        human_bytes(peak_rss_bytes()));
  });
}
