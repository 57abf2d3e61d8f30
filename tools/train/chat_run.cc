#include "tools/train/chat_run.h"

#include <algorithm>

#include "data/jinja/text.h"
#include "tools/train/tasks/answers.h"

namespace lk {
namespace {

// What ends an answer: the ids of config.json and generation_config.json, eos_token, and the
// special token that the template puts behind an answer.
std::vector<int32_t> stop_ids(const Model& model, const Tokenizer& tokenizer,
                              const ChatTemplate& chat, const EndOfTurn& end) {
  std::vector<int32_t> out = model.info().eos_ids;
  const std::vector<int32_t>& more = chat.stop_ids();
  out.insert(out.end(), more.begin(), more.end());
  if (const auto id = tokenizer.token_id(chat.special_token("eos_token"))) out.push_back(*id);
  out.insert(out.end(), end.ids.begin(), end.ids.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// A tokenizer without a token of its own for the end of a turn writes it letter by letter; what
// stands behind it is no answer.
std::string cut_answer(const std::string& text, const std::string& end) {
  return jinja::strip(end.empty() ? text : text.substr(0, text.find(end)), "", true, true);
}

}  // namespace

ChatTemplate open_chat_template(const std::filesystem::path& base,
                                const std::filesystem::path& adapter,
                                const std::filesystem::path& file, const Tokenizer& tokenizer) {
  std::vector<std::filesystem::path> folders;
  if (!adapter.empty()) folders.push_back(adapter);
  folders.push_back(base);
  return ChatTemplate::load(folders, file, tokenizer);
}

std::vector<Example> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                 const ChatData& data, size_t count, const EncodeOptions& options) {
  std::vector<Example> out;
  int64_t last_only = 0;
  for (size_t i = 0; i < count; ++i) {
    ChatExample e = encode_chat_example(tokenizer, chat, data, data.records[i], options);
    last_only += e.last_only;
    out.push_back(std::move(e.example));
  }
  if (last_only > 0)
    fmt::print(stderr,
               "{}: the chat template writes earlier turns differently later on; {} of {} "
               "conversations give loss on their last answer only\n",
               data.file.string(), last_only, count);
  return out;
}

Scores score_chat(Model& model, const Tokenizer& tokenizer, const ChatTemplate& chat,
                  const ChatData& data, const ScoreOptions& o) {
  const size_t count = o.count_of(data.records.size());
  const EndOfTurn end = end_of_turn(tokenizer, chat);
  GenerateOptions g;
  g.max_new_tokens = o.max_new_tokens;
  g.eos_ids = stop_ids(model, tokenizer, chat, end);
  Answers answers;
  answers.examples = encode_chat(tokenizer, chat, data, count, encode_options(model, o));
  for (size_t i = 0; i < count; ++i) {
    const auto [messages, answer] = split_last_answer(data.records[i]);
    answers.prompts.push_back(encode_chat_prompt(tokenizer, chat, messages, data.records[i].tools));
    answers.references.push_back({answer});
  }
  return score_answers(model, tokenizer, answers, g,
                       [&](const std::string& text) { return cut_answer(text, end.text); });
}

Conversation::Conversation(Model& model, const Tokenizer& tokenizer, const ChatTemplate& chat,
                           const std::string& system, GenerateOptions options)
    : model_(model), tokenizer_(tokenizer), chat_(chat), options_(std::move(options)) {
  const EndOfTurn end = end_of_turn(tokenizer, chat);
  end_ = end.text;
  options_.eos_ids = stop_ids(model, tokenizer, chat, end);
  if (!system.empty()) messages_.push_back(chat_message("system", system));
}

std::string Conversation::answer(const std::string& message) {
  messages_.push_back(chat_message("user", message));
  const auto prompt = encode_chat_prompt(tokenizer_, chat_, jinja::make_sequence(messages_));
  std::string text = cut_answer(tokenizer_.decode(generate(model_, {prompt}, options_)[0]), end_);
  messages_.push_back(chat_message("assistant", text));
  return text;
}

}  // namespace lk
