// Scores a model, with an adapter or without, on a data file.
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "tools/train/cli.h"
#include "tools/train/run_model.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("evaluate: score a model on a data file");
  std::string model, adapter, data, predictions;
  ScoreOptions o;
  DType dtype = DType::f32;
  app.add_option("--model", model, "Hugging Face model folder; with --adapter it may be left out");
  app.add_option("--adapter", adapter, "adapter folder");
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
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    OpenModel open = open_model(model, adapter, dtype);
    const Scores scores = score(open, data, o);
    fmt::print("{}\n", scores.line());
    if (predictions.empty()) return;
    std::string text;
    for (const std::string& output : scores.outputs) text += nlohmann::json(output).dump() + "\n";
    write_file_atomically(predictions, text);
  });
}
