#include "tools/embed/settings.h"

#include <nlohmann/json.hpp>

#include "engine/files/json.h"

namespace lk {
namespace {

using nlohmann::json;

json read_object(const std::filesystem::path& file) {
  json out = read_json(file);
  require(out.is_object(), "{}: is {}, expected an object", file.string(), out.type_name());
  return out;
}

Pooling read_pooling(const std::filesystem::path& file) {
  constexpr std::string_view kMode = "pooling_mode_";
  const std::pair<const char*, Pooling> known[] = {
      {"mean_tokens", Pooling::mean}, {"cls_token", Pooling::cls}, {"lasttoken", Pooling::last}};
  const json settings = read_object(file);
  std::string chosen;
  for (const auto& [key, value] : settings.items()) {
    if (!key.starts_with(kMode) || value != true) continue;
    require(chosen.empty(), "{}: pools by '{}' and by '{}'; several at once are not supported",
            file.string(), chosen, key.substr(kMode.size()));
    chosen = key.substr(kMode.size());
  }
  for (const auto& [name, pooling] : known)
    if (chosen == name) return pooling;
  fail("{}: pooling by '{}' is not supported (supported: mean_tokens, cls_token, lasttoken)",
       file.string(), chosen);
}

void read_transformer(const std::filesystem::path& file, EmbedSettings& out) {
  if (!std::filesystem::exists(file)) return;
  const json settings = read_object(file);
  require(!settings.contains("do_lower_case") || settings["do_lower_case"] == false,
          "{}: do_lower_case is not supported; give texts in lower case and set it to false",
          file.string());
  if (!settings.contains("max_seq_length") || settings["max_seq_length"].is_null()) return;
  require(settings["max_seq_length"].is_number_unsigned() && settings["max_seq_length"] > 0,
          "{}: max_seq_length is {}, expected a positive number", file.string(),
          settings["max_seq_length"].dump());
  out.max_length = settings["max_seq_length"].get<int64_t>();
}

}  // namespace

Pooling pooling_from_name(const std::string& name) {
  require(name == "mean" || name == "cls" || name == "last",
          "pooling '{}' is not known (known: mean, cls, last)", name);
  return name == "mean" ? Pooling::mean : name == "cls" ? Pooling::cls : Pooling::last;
}

EmbedSettings read_embed_settings(const std::filesystem::path& folder) {
  EmbedSettings out{.model = folder};
  const std::filesystem::path file = folder / "modules.json",
                              prompts = folder / "config_sentence_transformers.json";
  if (!std::filesystem::exists(file)) return out;
  if (std::filesystem::exists(prompts)) {
    const json name = read_object(prompts).value("default_prompt_name", json());
    require(name.is_null(),
            "{}: default_prompt_name {} is not supported; put that prompt before your texts and "
            "set it to null",
            prompts.string(), name.dump());
  }
  const json modules = read_json(file);
  require(modules.is_array(), "{}: is {}, expected a list", file.string(), modules.type_name());
  for (const json& module : modules) {
    for (const char* key : {"type", "path"})
      require(module.is_object() && module.contains(key) && module[key].is_string(),
              "{}: a module has no '{}'", file.string(), key);
    const auto type = module["type"].get<std::string>();
    const std::string kind = type.substr(type.rfind('.') + 1);
    const std::filesystem::path path = folder / module["path"].get<std::string>();
    if (kind == "Transformer") {
      out.model = path;
      read_transformer(path / "sentence_bert_config.json", out);
    } else if (kind == "Pooling") {
      out.pooling = read_pooling(path / "config.json");
    } else if (kind == "Normalize") {
      out.normalize = true;
    } else {
      fail("{}: the module '{}' is not supported (supported: Transformer, Pooling, Normalize)",
           file.string(), type);
    }
  }
  return out;
}

}  // namespace lk
