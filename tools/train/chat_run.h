// Conversations in the tools: opening the template, scoring answers, talking.
#pragma once

#include "data/chat_example.h"
#include "nn/generate.h"
#include "tools/train/run_model.h"

namespace lk {

// The template of --chat-template FILE, of the adapter folder, or of the base; Error when none has
// one.
ChatTemplate open_chat_template(const std::filesystem::path& base,
                                const std::filesystem::path& adapter,
                                const std::filesystem::path& file, const Tokenizer& tokenizer);

// Encodes every record; says once on standard error when a template that rewrites history leaves
// only the last answer to train on.
std::vector<Example> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                 const ChatData& data, size_t count, const EncodeOptions& options);

// Generates each conversation's last answer from the messages before it.
Scores score_chat(Model& model, const Tokenizer& tokenizer, const ChatTemplate& chat,
                  const ChatData& data, const ScoreOptions& options);

// A conversation that grows: answers each message of the user and remembers both.
class Conversation {
 public:
  // system: the first message, where it is not empty. options.eos_ids: filled here.
  Conversation(Model& model, const Tokenizer& tokenizer, const ChatTemplate& chat,
               const std::string& system, GenerateOptions options);
  std::string answer(const std::string& message);

 private:
  Model& model_;
  const Tokenizer& tokenizer_;
  const ChatTemplate& chat_;
  GenerateOptions options_;
  std::string end_;
  std::vector<jinja::Value> messages_;
};

}  // namespace lk
