// Makes a Hugging Face model folder of a llama2.c checkpoint and its vocabulary.
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/weight_files.h"
#include "tools/llama2c/checkpoint.h"
#include "tools/llama2c/vocabulary.h"
#include "tools/train/cli.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("convert_llama2c: a model folder of a llama2.c checkpoint (version 0)");
  std::string checkpoint, tokenizer, output;
  app.add_option("--checkpoint", checkpoint, "the model, as in stories15M.bin")->required();
  app.add_option("--tokenizer", tokenizer, "its vocabulary, as in tokenizer.bin")->required();
  app.add_option("--output", output, "folder for the model")->required();
  return run_tool(app, argc, argv, [&] {
    const Llama2cCheckpoint model = read_llama2c_checkpoint(checkpoint);
    const nlohmann::json vocabulary = read_llama2c_vocabulary(tokenizer, model.vocab_size);
    const std::filesystem::path folder = output;
    std::filesystem::create_directories(folder);
    save_weights(folder, model.tensors);
    write_file_atomically(folder / "tokenizer.json", vocabulary.dump(1) + "\n");
    const nlohmann::json tokenizer_config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                                          {"bos_token", "<s>"},
                                          {"eos_token", "</s>"},
                                          {"unk_token", "<unk>"},
                                          {"model_max_length", model.context}};
    write_file_atomically(folder / "tokenizer_config.json", tokenizer_config.dump(2) + "\n");
    write_file_atomically(folder / "config.json", model.config().dump(2) + "\n");
    fmt::print("model: {} ({} layers, {} tokens)\n", output, model.layers, model.vocab_size);
  });
}
