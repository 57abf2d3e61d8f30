// Learns a byte-level BPE tokenizer from text files and writes a tokenizer.json.
#include <CLI/CLI.hpp>

#include "data/tokenizer/bpe_trainer.h"
#include "tools/train/cli.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("train_tokenizer: learn a byte-level BPE tokenizer from text");
  std::vector<std::filesystem::path> files;
  std::string output;
  BpeTrainOptions options;
  app.add_option("files", files, "text files")->required();
  app.add_option("--output", output, "tokenizer.json to write")->required();
  app.add_option("--vocab-size", options.vocab_size, "the 256 bytes and <|endoftext|> included")
      ->capture_default_str();
  app.add_option("--min-frequency", options.min_frequency, "a pair seen less often is not merged")
      ->capture_default_str();
  return run_tool(app, argc, argv, [&] {
    const Tokenizer tokenizer = train_byte_level_bpe_from_files(files, options);
    tokenizer.save(output);
    fmt::print("{}: {} tokens\n", output, tokenizer.vocab_size());
  });
}
