// Continues prompts with a model, with an adapter or without.
#include <iostream>
#include <optional>

#include "data/batch.h"
#include "data/text_stream.h"
#include "nn/generate.h"
#include "tools/train/chat_run.h"
#include "tools/train/cli.h"
#include "tools/train/run_model.h"

using namespace lk;

int main(int argc, char** argv) {
  CLI::App app("generate: continue a prompt, from --prompt or one a line from standard input");
  std::string model, adapter, prompt, separator = "\n", system, chat_template;
  std::vector<std::string> stops;
  GenerateOptions o;
  DType dtype = DType::f32;
  bool raw = false, chat = false;
  app.add_option("--model", model, "Hugging Face model folder; with --adapter it may be left out");
  app.add_option("--adapter", adapter, "adapter folder");
  app.add_option("--prompt", prompt, "the text to continue");
  app.add_option("--separator", separator, "put after the prompt, as in training")
      ->capture_default_str();
  app.add_flag("--raw", raw, "put nothing after the prompt");
  app.add_flag("--chat", chat,
               "talk: the prompt, or each line of standard input, is a message of the user; needs "
               "a chat template");
  app.add_option("--system", system, "the system message of --chat");
  add_chat_template_option(app, chat_template);
  app.add_option("--max-new-tokens", o.max_new_tokens, "")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--temperature", o.temperature, "0: the likeliest token each time")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-k", o.top_k, "sample among the k likeliest; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", o.top_p, "sample among the likeliest that hold this probability")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-p", o.min_p,
                 "sample among those with this share of the likeliest's probability")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repetition-penalty", o.repetition_penalty,
                 "above 1: tokens of the text so far become less likely")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--num-beams", o.num_beams, "beam search with this many; 1: none")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--length-penalty", o.length_penalty,
                 "of beam search: scores are divided by length to this power")
      ->capture_default_str();
  app.add_option("--stop", stops, "end the text before this string; may be given several times");
  app.add_option("--seed", o.seed, "of sampling")->capture_default_str();
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    OpenModel open = open_model(model, adapter, dtype);
    require(chat || (system.empty() && chat_template.empty()),
            "--system and --chat-template are for --chat");
    std::optional<ChatTemplate> templ;
    std::optional<Conversation> talk;
    if (chat) {
      templ = open_chat_template(open.base, open.adapter, chat_template, open.tokenizer);
      talk.emplace(*open.model, open.tokenizer, *templ, system, o);
    }
    const auto answer = [&](const std::string& text) {
      if (talk) {
        fmt::print("{}\n", talk->answer(text));
        std::fflush(stdout);
        return;
      }
      EncodeOptions encode;
      encode.separator = raw ? "" : separator;
      encode.decoder_start_id = open.model->info().decoder_start_id;
      const std::vector<int32_t> ids = encode_prompt(open.tokenizer, text, encode);
      TextStream stream(open.tokenizer, stops);
      o.stop = [&](size_t, const std::vector<int32_t>&) { return stream.stopped(); };
      generate(*open.model, {ids}, o, [&](size_t, int32_t id) {
        fmt::print("{}", stream.push(id));
        std::fflush(stdout);
      });
      fmt::print("{}\n", stream.finish());
    };
    if (!prompt.empty()) return answer(prompt);
    for (std::string line; std::getline(std::cin, line);)
      if (!line.empty()) answer(line);
  });
}
