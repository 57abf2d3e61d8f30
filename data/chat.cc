#include "data/chat.h"

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::string text, name;
};

// The key "chat_template" of a JSON file: a string, or [{"name", "template"}, ...].
std::optional<Found> from_json_key(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  const nlohmann::json json = read_json(path);
  const auto found = json.is_object() ? json.find("chat_template") : json.end();
  if (found == json.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return Found{found->get<std::string>(), path.string()};
  require(found->is_array(), "{}: chat_template is {}, expected a string or a list", path.string(),
          found->type_name());
  std::string names;
  for (const auto& item : *found) {
    require(item.is_object() && item.contains("name") && item["name"].is_string() &&
                item.contains("template") && item["template"].is_string(),
            "{}: chat_template has an item that is not {{\"name\", \"template\"}}", path.string());
    const std::string name = item["name"].get<std::string>();
    if (name == "default")
      return Found{item["template"].get<std::string>(), path.string() + " (default)"};
    names += (names.empty() ? "" : ", ") + name;
  }
  fail("{}: chat_template has no 'default', only {}; pass one with --chat-template FILE",
       path.string(), names);
}

std::optional<Found> find_in(const fs::path& folder) {
  if (const fs::path path = folder / "chat_template.jinja"; fs::exists(path))
    return Found{read_text(path), path.string()};
  if (auto found = from_json_key(folder / "chat_template.json")) return found;
  return from_json_key(folder / "tokenizer_config.json");
}

Found find_template(const std::vector<fs::path>& folders, const fs::path& file) {
  if (!file.empty()) return {read_text(file), file.string()};
  for (const fs::path& folder : folders)
    if (auto found = find_in(folder)) return *found;
  fail(
      "{}: the model has no chat template (chat_template.jinja, or chat_template in "
      "tokenizer_config.json); pass one with --chat-template FILE",
      folders.empty() ? "" : folders.back().string());
}

// A token is a string, or an object whose "content" is one.
std::optional<std::string> token_text(const nlohmann::json& node) {
  if (node.is_string()) return node.get<std::string>();
  if (node.is_object() && node.contains("content") && node["content"].is_string())
    return node["content"].get<std::string>();
  return std::nullopt;
}

jinja::Dict read_special_tokens(const std::vector<fs::path>& folders, const Tokenizer& tokenizer) {
  jinja::Dict out;
  const auto add = [&](const std::string& name, const std::optional<std::string>& token) {
    if (token && !out.find(name)) out.set(name, *token);
  };
  for (const fs::path& folder : folders)
    for (const char* file : {"tokenizer_config.json", "special_tokens_map.json"}) {
      if (!fs::exists(folder / file)) continue;
      const nlohmann::json json = read_json(folder / file);
      for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                               "cls_token", "mask_token"})
        if (json.is_object() && json.contains(name)) add(name, token_text(json[name]));
    }
  for (const fs::path& folder : folders) {
    if (!fs::exists(folder / "config.json")) continue;
    const nlohmann::json json = read_json(folder / "config.json");
    for (const std::string name : {"bos_token", "eos_token"}) {
      if (!json.is_object() || !json.contains(name + "_id")) continue;
      const nlohmann::json& id = json[name + "_id"];
      const nlohmann::json& first = id.is_array() && !id.empty() ? id[0] : id;
      if (first.is_number_integer() && first.get<int64_t>() >= 0 &&
          first.get<int64_t>() < tokenizer.vocab_size())
        add(name, tokenizer.token(first.get<int32_t>()));
    }
  }
  return out;
}

// A number or a list of them.
std::vector<int32_t> read_stop_ids(const std::vector<fs::path>& folders) {
  std::vector<int32_t> out;
  for (const fs::path& folder : folders) {
    const fs::path path = folder / "generation_config.json";
    if (!fs::exists(path)) continue;
    const nlohmann::json json = read_json(path);
    if (!json.is_object() || !json.contains("eos_token_id") || json["eos_token_id"].is_null())
      continue;
    const nlohmann::json& ids = json["eos_token_id"];
    for (const nlohmann::json& id : ids.is_array() ? ids : nlohmann::json::array({ids})) {
      require(id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() <= INT32_MAX,
              "{}: eos_token_id is {}, expected a token id or a list of them", path.string(),
              ids.dump());
      out.push_back(id.get<int32_t>());
    }
  }
  return out;
}

}  // namespace

ChatTemplate::ChatTemplate(const std::string& text, const std::string& name,
                           jinja::Dict special_tokens)
    : text_(text), name_(name), template_(text, name), special_tokens_(std::move(special_tokens)) {}

std::optional<std::string> ChatTemplate::find(const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders)
    if (const auto found = find_in(folder)) return found->name;
  return std::nullopt;
}

ChatTemplate ChatTemplate::load(const std::vector<fs::path>& folders, const fs::path& file,
                                const Tokenizer& tokenizer) {
  const Found found = find_template(folders, file);
  ChatTemplate out(found.text, found.name, read_special_tokens(folders, tokenizer));
  out.stop_ids_ = read_stop_ids(folders);
  return out;
}

jinja::Rendered ChatTemplate::render(const jinja::Value& messages, bool add_generation_prompt,
                                     const jinja::Value& tools) const {
  jinja::Dict variables = special_tokens_;
  variables.set("messages", messages);
  variables.set("tools", tools);
  variables.set("documents", {});
  variables.set("add_generation_prompt", add_generation_prompt);
  return template_.render(variables);
}

std::string ChatTemplate::special_token(const std::string& name) const {
  const jinja::Value* token = special_tokens_.find(name);
  return token ? *token->string() : "";
}

jinja::Value chat_message(const std::string& role, const std::string& content) {
  jinja::Dict message;
  message.set("role", role);
  message.set("content", content);
  return jinja::make_dict(std::move(message));
}

}  // namespace lk
