// Continues prompts with a model, with an adapter or without.
#include <iostream>
#include <nlohmann/json.hpp>

#include "data/batch.h"
#include "data/text_stream.h"
#include "nn/generate.h"
#include "tools/train/chat_run.h"
#include "tools/train/cli.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

// Each line of standard input (or the prompt alone) is a turn of the user.
void talk(OpenModel& open, const std::string& prompt, const std::string& system,
          const std::string& chat_template, const GenerateOptions& o) {
  const ChatTemplate text =
      open_chat_template(open.base, open.adapter, chat_template, open.tokenizer);
  Conversation conversation(*open.model, open.tokenizer, text, system, o);
  const auto answer = [&](const std::string& line) {
    fmt::print("{}\n", conversation.answer(line));
    std::fflush(stdout);
  };
  if (!prompt.empty()) return answer(prompt);
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty()) answer(line);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("generate: continue a prompt, from --prompt or one a line from standard input");
  std::string model, adapter, prompt, separator = "\n", system, chat_template;
  std::vector<std::string> stops;
  GenerateOptions o;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool raw = false, chat = false, logprobs = false;
  int64_t batch_size = 1;
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
  app.add_option("--batch-size", batch_size, "prompts of standard input answered together")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--logprobs", logprobs,
               "write each token's log-probability to standard error (not with beams)");
  app.add_option("--seed", o.seed, "of sampling")->capture_default_str();
  add_dtype_option(app, dtype);
  add_device_option(app, device);
  return run_tool(app, argc, argv, [&] {
    require(chat || (system.empty() && chat_template.empty()),
            "--system and --chat-template are for --chat");
    require(!chat || (!logprobs && batch_size == 1 && stops.empty()),
            "--logprobs, --batch-size and --stop are not for --chat");
    OpenModel open = open_model(model, adapter, dtype, device);
    if (chat) return talk(open, prompt, system, chat_template, o);
    EncodeOptions encode;
    encode.separator = raw ? "" : separator;
    encode.decoder_start_id = open.model->info().decoder_start_id;
    if (logprobs)
      o.on_log_probability = [&](size_t, int32_t id, double log_p) {
        fmt::print(stderr, "{:.6f}\t{}\n", log_p, nlohmann::json(open.tokenizer.token(id)).dump());
      };
    // One prompt is shown as it comes, several are when all of a batch are done.
    const auto answer = [&](const std::vector<std::string>& texts) {
      std::vector<std::vector<int32_t>> prompts;
      std::vector<TextStream> streams;
      for (const std::string& text : texts) {
        prompts.push_back(encode_prompt(open.tokenizer, text, encode));
        streams.emplace_back(open.tokenizer, stops);
      }
      std::vector<std::string> shown(texts.size());
      o.stop = [&](size_t p, const std::vector<int32_t>&) { return streams[p].stopped(); };
      generate(*open.model, prompts, o, [&](size_t p, int32_t id) {
        shown[p] += streams[p].push(id);
        if (texts.size() > 1) return;
        fmt::print("{}", shown[p]);
        std::fflush(stdout);
        shown[p].clear();
      });
      for (size_t p = 0; p < texts.size(); ++p) fmt::print("{}{}\n", shown[p], streams[p].finish());
    };
    if (!prompt.empty()) return answer({prompt});
    std::vector<std::string> batch;
    for (std::string line; std::getline(std::cin, line);) {
      if (line.empty()) continue;
      batch.push_back(line);
      if (static_cast<int64_t>(batch.size()) < batch_size) continue;
      answer(batch);
      batch.clear();
    }
    if (!batch.empty()) answer(batch);
  });
}
