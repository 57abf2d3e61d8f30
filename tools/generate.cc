// Continues prompts with a model, with an adapter or without.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/batch.h"
#include "data/text_stream.h"
#include "nn/generate.h"
#include "peft/adapter_set.h"
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

// A text to continue, and the adapter that shall do it where there are several.
struct Ask {
  std::string text, adapter;
};

// A line of standard input: the text, or with several adapters a JSON object that names one.
Ask read_line(const std::string& line, const AdapterSet* adapters) {
  if (!adapters) return {line, ""};
  const auto json = nlohmann::json::parse(line, nullptr, false);
  const auto text = [&](const char* key) {
    require(
        json.is_object() && json.contains(key) && json[key].is_string(),
        "standard input: with several adapters a line is {{\"input\": TEXT, \"adapter\": NAME}} "
        "(\"\": the base alone), found {}",
        line);
    return json[key].get<std::string>();
  };
  return {text("input"), text("adapter")};
}

struct NamedFolder {
  std::string name, folder;
};

std::vector<NamedFolder> named_folders(const std::vector<std::string>& given) {
  std::vector<NamedFolder> out;
  for (const std::string& one : given) {
    const size_t at = one.find('=');
    require(at != std::string::npos && at > 0,
            "--adapter {}: several adapters are given as NAME=FOLDER", one);
    out.push_back({one.substr(0, at), one.substr(at + 1)});
  }
  return out;
}

// The base of several adapters. model: its folder, or "": the one that all of them name.
OpenModel open_base(const std::string& model, const std::vector<NamedFolder>& adapters,
                    const QuantOptions& quant, DType dtype) {
  if (!model.empty()) return open_model(find_model(model, "", quant), dtype);
  std::string base;
  for (const NamedFolder& adapter : adapters) {
    const std::string its = read_adapter_config(adapter.folder).base;
    require(base.empty() || its == base,
            "the adapters name the bases '{}' and '{}'; pass --model with the one they share", base,
            its);
    base = its;
  }
  return open_model(find_model(base, "", quant), dtype);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("generate: continue a prompt, from --prompt or one a line from standard input");
  std::string model, prompt, separator = "\n", system, chat_template;
  std::vector<std::string> stops, adapters, stack_on;
  GenerateOptions o;
  QuantOptions quant;
  DType dtype = DType::f32;
  Device device = Device::cpu;
  bool raw = false, chat = false, logprobs = false;
  int64_t batch_size = 1;
  app.add_option("--model", model, "Hugging Face model folder; with --adapter it may be left out");
  app.add_option(
      "--adapter", adapters,
      "adapter folder; or several NAME=FOLDER of one base, of which each line of standard "
      "input, {\"input\": .., \"adapter\": NAME}, takes one");
  add_stack_option(app, stack_on);
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
  add_quant_options(app, quant);
  add_dtype_option(app, dtype);
  add_device_option(app, device);
  return run_tool(app, argc, argv, [&] {
    require(chat || (system.empty() && chat_template.empty()),
            "--system and --chat-template are for --chat");
    require(!chat || (!logprobs && batch_size == 1 && stops.empty()),
            "--logprobs, --batch-size and --stop are not for --chat");
    const bool several = adapters.size() > 1 ||
                         (adapters.size() == 1 && adapters[0].find('=') != std::string::npos &&
                          !std::filesystem::exists(adapters[0]));
    require(!several || (!chat && prompt.empty()),
            "with several adapters the prompts come from standard input, a JSON object a line");
    require(!several || device == Device::cpu, "several adapters run on the CPU alone");
    const auto named = several ? named_folders(adapters) : std::vector<NamedFolder>{};
    require(!several || stack_on.empty(), "--stack-on is for a single adapter");
    const auto open_one = [&] {
      ModelSource source = find_model(model, adapters.empty() ? "" : adapters[0], quant);
      if (!stack_on.empty()) restack(source, stack_on);
      return open_model(source, dtype, device);
    };
    OpenModel open = several ? open_base(model, named, quant, dtype) : open_one();
    std::optional<AdapterSet> set;
    if (several) {
      set.emplace(*open.model);
      for (const NamedFolder& adapter : named) set->add(adapter.name, adapter.folder);
    }
    if (chat) return talk(open, prompt, system, chat_template, o);
    EncodeOptions encode;
    encode.separator = raw ? "" : separator;
    encode.decoder_start_id = open.model->info().decoder_start_id;
    if (logprobs)
      o.on_log_probability = [&](size_t, int32_t id, double log_p) {
        fmt::print(stderr, "{:.6f}\t{}\n", log_p, nlohmann::json(open.tokenizer.token(id)).dump());
      };
    // One prompt is shown as it comes, several are when all of a batch are done.
    const auto answer = [&](const std::vector<Ask>& texts) {
      std::vector<std::vector<int32_t>> prompts;
      std::vector<TextStream> streams;
      std::vector<size_t> all;
      for (const Ask& ask : texts) {
        prompts.push_back(encode_prompt(open.tokenizer, ask.text, encode));
        streams.emplace_back(open.tokenizer, stops);
        all.push_back(all.size());
      }
      o.before_pass = [&](const std::vector<size_t>& documents) {
        if (!set) return;
        std::vector<std::string> names;
        for (const size_t p : documents) names.push_back(texts[p].adapter);
        set->use_each(names);
      };
      o.before_pass(all);  // how long a prompt may be depends on them too
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
    if (!prompt.empty()) return answer({{prompt, ""}});
    std::vector<Ask> batch;
    for (std::string line; std::getline(std::cin, line);) {
      if (line.empty()) continue;
      batch.push_back(read_line(line, set ? &*set : nullptr));
      if (static_cast<int64_t>(batch.size()) < batch_size) continue;
      answer(batch);
      batch.clear();
    }
    if (!batch.empty()) answer(batch);
  });
}
