#include "tools/train/method_options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "peft/nearest.h"
#include "peft/variants.h"

namespace lk {
namespace {

// What a flag's text means, by the kind of the option's default.
nlohmann::json option_value(const MethodOption& option, const std::string& text) {
  const auto kind = nlohmann::json::parse(option.value);
  auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (kind.is_object()) {
    require(parsed.is_object(), "--{} is '{}'; expected a JSON object such as {{\"q_proj\": 4}}",
            option.flag, text);
    return parsed;
  }
  if (kind.is_null() || kind.is_array() || kind == "all-linear") {  // the last is QLoRA's default
    if (text == "all-linear" || text.find_first_of("*+?()[]|\\^$") != std::string::npos)
      return text;
    nlohmann::json list = nlohmann::json::array();
    for (const std::string& item : CLI::detail::split(text, ',')) {
      const auto number = nlohmann::json::parse(item, nullptr, false);
      list.push_back(number.is_number_integer() ? number : nlohmann::json(item));
    }
    return list;
  }
  return parsed.is_discarded() || parsed.is_structured() ? nlohmann::json(text) : parsed;
}

}  // namespace

void add_method_options(CLI::App& app, MethodFlags& flags) {
  std::map<std::string, std::map<std::string, std::string>> help;  // flag, text, methods
  for (const MethodInfo& m : methods()) {
    const nlohmann::json usual = variant_settings(m, default_variant(m));
    for (const MethodOption& option : m.options) {
      if (option.flag.empty()) continue;
      const std::string value =
          usual.contains(option.key) ? usual[option.key].dump() : option.value;
      std::string& names_of_text = help[option.flag][fmt::format("{} [{}]", option.help, value)];
      names_of_text += (names_of_text.empty() ? "" : ", ") + m.name;
    }
  }
  for (const auto& [flag, texts] : help) {
    std::string description;
    for (const auto& [text, methods_of_text] : texts)
      description += (description.empty() ? "" : "\n") + text + " (" + methods_of_text + ")";
    app.add_option("--" + flag, flags[flag], description);
  }
}

Settings method_settings(const MethodInfo& info, const std::string& variant,
                         const MethodFlags& given) {
  nlohmann::json values = nlohmann::json::object();
  for (const MethodOption& option : info.options)
    values[option.key] = nlohmann::json::parse(option.value);
  values.update(variant_settings(info, variant.empty() ? default_variant(info) : variant));
  for (const MethodOption& option : info.options) {
    const auto found = given.find(option.flag);
    if (found == given.end() || found->second.empty()) continue;
    values[option.key] = option_value(option, found->second);
  }
  std::vector<std::string> flags;
  for (const MethodOption& o : info.options)
    if (!o.flag.empty()) flags.push_back("--" + o.flag);
  for (const auto& [flag, value] : given)
    require(value.empty() || std::find(flags.begin(), flags.end(), "--" + flag) != flags.end(),
            "--{} is no option of the method '{}'; it has {}", flag, info.name,
            flags.empty() ? "none" : nearest("--" + flag, flags, 0));
  return Settings(values, "the command line");
}

}  // namespace lk
