#include "tools/train/tasks/options.h"

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/files/json.h"
#include "tools/train/cli.h"

namespace lk {
namespace {

// Its errors are of the command line.
template <class F>
auto on_command_line(const char* option, F&& f) {
  return [option, f](const std::string& text) {
    try {
      f(text);
    } catch (const Error& e) {
      throw CLI::ValidationError(option, e.what());
    }
  };
}

void add_words(std::map<std::string, std::string>& words, const std::string& label,
               const std::string& word, const std::string& where) {
  require(!label.empty() && !word.empty(), "{}: a label or its word is empty", where);
  require(words.emplace(label, word).second, "{}: the label '{}' has two words", where, label);
}

}  // namespace

std::map<std::string, std::string> read_verbalizer(const std::string& text) {
  std::map<std::string, std::string> words;
  const std::filesystem::path file(text);
  if (!std::filesystem::is_regular_file(file)) {
    for (const std::string& pair : CLI::detail::split(text, ',')) {
      const size_t equals = pair.find('=');
      require(equals != std::string::npos,
              "'{}' is neither a file nor label=word, with commas between several", pair);
      add_words(words, pair.substr(0, equals), pair.substr(equals + 1), text);
    }
    return words;
  }
  if (file.extension() == ".json") {
    const nlohmann::json object = read_json(file);
    require(object.is_object(), "{}: {}, expected an object of label and word", text,
            object.type_name());
    for (const auto& [label, word] : object.items()) {
      require(word.is_string(), "{}: the word of '{}' is {}, expected a string", text, label,
              word.type_name());
      add_words(words, label, word.get<std::string>(), text);
    }
    return words;
  }
  std::istringstream lines(read_text(file));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const size_t tab = line.find('\t');
    const std::string where = fmt::format("{}:{}", text, number);
    require(tab != std::string::npos, "{}: expected label<TAB>word", where);
    add_words(words, line.substr(0, tab), line.substr(tab + 1), where);
  }
  return words;
}

void add_task_options(CLI::App& app, TaskOptions& o) {
  add_chat_template_option(app, o.chat_template);
  app.add_option_function<std::string>(
      "--template",
      [&o](const std::string& text) {
        o.template_text = text;
        for (size_t at = 0; (at = o.template_text.find("\\n", at)) != std::string::npos; ++at)
          o.template_text.replace(at, 2, "\n");
      },
      "the text of a record, such as \"{text}\\nSentiment: {label}\\n\\n\" for models that write "
      "text or \"{text_a} ? [MASK] , {text_b}\" for masked language models; slots: text, text_a, "
      "text_b, label of .tsv, the keys of .jsonl; [P], [P]*3: virtual tokens that --method ptuning "
      "or prompt trains; \\n: a line's end");
  app.add_option_function<std::string>(
      "--verbalizer",
      on_command_line("--verbalizer",
                      [&o](const std::string& text) { o.verbalizer = read_verbalizer(text); }),
      "words for labels: label=word,label=word, a .json object, or a file of label<TAB>word");
  const auto share = CLI::Range(0.0, 1.0);
  app.add_option("--mlm-probability", o.mlm_probability,
                 "plain text for masked language models: the share of the tokens to be told")
      ->capture_default_str()
      ->check(CLI::Range(1e-6, 1.0));
  app.add_option("--mask-replace-prob", o.mask_replace, "of these, the share that is masked")
      ->capture_default_str()
      ->check(share);
  app.add_option("--random-replace-prob", o.random_replace,
                 "of these, the share that a random token takes the place of")
      ->capture_default_str()
      ->check(share);
}

void add_loss_options(CLI::App& app, TaskOptions& o) {
  app.add_option("--unlikelihood", o.unlikelihood,
                 "classes by words: the weight of T-Few's loss on the tokens of wrong answers")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--length-normalized", o.length_normalized,
                 "classes by words: the weight of T-Few's loss on answers' mean log-probabilities")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag_callback(
      "--tfew", [&o] { o.unlikelihood = o.length_normalized = 1; },
      "--unlikelihood 1 --length-normalized 1 (Liu et al. 2022, arXiv:2205.05638)");
}

std::vector<std::string> given_options(const TaskOptions& o) {
  const TaskOptions plain;
  std::vector<std::string> out;
  const auto add = [&](bool given, const char* name) {
    if (given) out.emplace_back(name);
  };
  add(!o.chat_template.empty(), "chat-template");
  add(!o.template_text.empty(), "template");
  add(!o.verbalizer.empty(), "verbalizer");
  add(o.mlm_probability != plain.mlm_probability, "mlm-probability");
  add(o.mask_replace != plain.mask_replace, "mask-replace-prob");
  add(o.random_replace != plain.random_replace, "random-replace-prob");
  add(o.pseudo_perplexity, "pseudo-perplexity");
  add(o.unlikelihood > 0, "unlikelihood");
  add(o.length_normalized > 0, "length-normalized");
  return out;
}

std::string described(const TaskOptions& o) {
  const TaskOptions plain;
  std::string out;
  const auto add = [&](const char* name, double value, double usual) {
    if (value != usual) out += fmt::format(" --{} {}", name, value);
  };
  add("mlm-probability", o.mlm_probability, plain.mlm_probability);
  add("mask-replace-prob", o.mask_replace, plain.mask_replace);
  add("random-replace-prob", o.random_replace, plain.random_replace);
  add("unlikelihood", o.unlikelihood, 0);
  add("length-normalized", o.length_normalized, 0);
  return out;
}

}  // namespace lk
