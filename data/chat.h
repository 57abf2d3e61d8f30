// The chat template of a model: conversations to text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/jinja/template.h"
#include "data/tokenizer/tokenizer.h"

namespace lk {

class ChatTemplate {
 public:
  // From `file` (a .jinja) when it is not empty; else from the first of `folders` (an adapter's,
  // the base's) that has one, where transformers looks: chat_template.jinja, chat_template.json, or
  // the key chat_template in tokenizer_config.json (a string, or a list of which "default" is
  // taken). Error when there is none.
  //
  // The template sees the special tokens that tokenizer_config.json or special_tokens_map.json of
  // the folders name; bos_token and eos_token else from config.json's ids.
  static ChatTemplate load(const std::vector<std::filesystem::path>& folders,
                           const std::filesystem::path& file, const Tokenizer& tokenizer);
  // Where the folders' own stands; nothing when they have none.
  static std::optional<std::string> find(const std::vector<std::filesystem::path>& folders);
  // For tests and templates made in memory.
  ChatTemplate(const std::string& text, const std::string& name, jinja::Dict special_tokens);

  // messages: a list of {"role", "content"}. As transformers' apply_chat_template; Error with the
  // template's line when the template refuses the conversation.
  jinja::Rendered render(const jinja::Value& messages, bool add_generation_prompt,
                         const jinja::Value& tools = {}) const;
  bool has_generation() const { return template_.has_generation(); }
  // "" when the model has none.
  std::string special_token(const std::string& name) const;  // "bos_token", ...
  // eos_token_id of generation_config.json.
  const std::vector<int32_t>& stop_ids() const { return stop_ids_; }
  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }  // where it came from

 private:
  std::string text_, name_;
  jinja::Template template_;
  jinja::Dict special_tokens_;
  std::vector<int32_t> stop_ids_;
};

jinja::Value chat_message(const std::string& role, const std::string& content);

}  // namespace lk
