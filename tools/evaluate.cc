// Scores a model, with an adapter or without, on a data file.
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "peft/hub_method.h"
#include "tools/train/cli.h"
#include "tools/train/in_context.h"
#include "tools/train/run_model.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("evaluate: score a model on a data file");
  std::string model, adapter, data, predictions;
  ScoreOptions o;
  InContextOptions shown;
  std::vector<std::string> verbalizer;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool gates = false;
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
  CLI::Option_group& in_context = *app.add_option_group(
      "in-context learning", "show the task in the prompt instead of training");
  const CLI::Option* shots =
      in_context
          .add_option("--shots", shown.shots, "examples in the prompt; 0 shows the template alone")
          ->check(CLI::NonNegativeNumber);
  in_context.add_option("--shots-from", shown.pool, "data that the examples are drawn from");
  in_context.add_option(
      "--template", shown.template_text,
      "the text of an example, such as \"{text}\\nSentiment: {label}\\n\\n\"; slots: text, "
      "text_a, text_b, label, or input, output; \\n is a line's end");
  in_context
      .add_option("--select", shown.selection,
                  "random: anew for each prompt; nearest: by embedding")
      ->capture_default_str()
      ->check(CLI::IsMember({"random", "nearest"}));
  in_context.add_flag("--calibrate", shown.calibrate,
                      "subtract what a choice gets when the text is N/A");
  in_context.add_option("--verbalizer", verbalizer, "label=words, for labels that read badly");
  in_context.add_option("--seed", shown.seed, "of the choice of examples")->capture_default_str();
  add_chat_template_option(app, o.chat_template);
  app.add_flag("--gates", gates, "show how far the gates of UniPELT open, place by place");
  add_dtype_option(app, dtype);
  add_device_option(app, device);
  return run_tool(app, argc, argv, [&] {
    OpenModel open = open_model(model, adapter, dtype, device);
    for (const std::string& pair : verbalizer) {
      const size_t equals = pair.find('=');
      require(equals != std::string::npos, "--verbalizer {}: expected label=words", pair);
      shown.verbalizer[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    for (size_t at = 0; (at = shown.template_text.find("\\n", at)) != std::string::npos; ++at)
      shown.template_text.replace(at, 2, "\n");
    const Scores scores =
        shots->count() > 0 ? score_in_context(open, data, shown, o) : score(open, data, o);
    fmt::print("{}\n", scores.line());
    if (gates) {
      require(open.method != nullptr, "--gates: pass the --adapter whose gates are wanted");
      const auto means = mean_gates(*open.method);
      require(!means.empty(), "--gates: this adapter has no gates");
      for (const auto& [place, mean] : means) fmt::print("  gate of {}: {:.3f}\n", place, mean);
    }
    if (predictions.empty()) return;
    std::string text;
    for (const std::string& output : scores.outputs) text += nlohmann::json(output).dump() + "\n";
    write_file_atomically(predictions, text);
  });
}
