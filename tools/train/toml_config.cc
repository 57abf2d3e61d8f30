#include "tools/train/toml_config.h"

#include <fmt/core.h>

#include <charconv>
#include <nlohmann/json.hpp>
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace lk {
namespace {

[[noreturn]] void refuse(const toml::source_region& where, const std::string& what) {
  throw CLI::FileError(fmt::format("--config: line {}: {}", where.begin.line, what),
                       CLI::ExitCodes::FileError);
}

// The text that an option takes for a value.
std::string text_of(const toml::node& value, const std::string& key) {
  if (const auto* s = value.as_string()) return s->get();
  if (const auto* i = value.as_integer()) return std::to_string(i->get());
  if (const auto* f = value.as_floating_point()) return fmt::format("{}", f->get());
  if (const auto* b = value.as_boolean()) return b->get() ? "true" : "false";
  if (const auto* list = value.as_array()) {
    std::string out;
    for (const toml::node& item : *list) {
      if (item.is_array()) refuse(item.source(), fmt::format("'{}' is a list of lists", key));
      out += (out.empty() ? "" : ",") + text_of(item, key);
    }
    return out;
  }
  refuse(value.source(),
         fmt::format("'{}' is a {}; expected a string, a number, true or false, or a list of these",
                     key, value.is_table() ? "table" : "date or time"));
}

// A TOML value that text_of() turns into `text` again.
std::string value_of(const std::string& text) {
  int64_t whole = 0;
  double number = 0;
  const char* end = text.data() + text.size();
  if (const auto r = std::from_chars(text.data(), end, whole);
      r.ec == std::errc() && r.ptr == end && std::to_string(whole) == text)
    return text;
  if (const auto r = std::from_chars(text.data(), end, number);
      r.ec == std::errc() && r.ptr == end && fmt::format("{}", number) == text &&
      text.find_first_of(".e") != std::string::npos)
    return text;
  // JSON's strings are TOML's basic strings.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::vector<CLI::ConfigItem> TomlConfig::from_config(std::istream& input) const {
  try {
    const toml::table table = toml::parse(input);
    std::vector<CLI::ConfigItem> found;
    for (const auto& [key, value] : table) {
      CLI::ConfigItem& item = found.emplace_back();
      item.name = std::string(key.str());
      item.inputs = {text_of(value, item.name)};
    }
    return found;
  } catch (const toml::parse_error& e) {
    refuse(e.source(), std::string(e.description()));
  }
}

std::string TomlConfig::to_config(const CLI::App* app, bool default_also, bool, std::string) const {
  std::string out;
  for (const CLI::Option* option : app->get_options({})) {
    if (option->get_lnames().empty() || !option->get_configurable()) continue;
    const std::string key = option->get_lnames()[0];
    const bool flag = option->get_expected_min() == 0;
    if (option->count() == 0 && !default_also) continue;
    if (flag)
      out += fmt::format("{} = {}\n", key, option->count() > 0 && option->as<bool>());
    else if (option->count() > 0)
      out += fmt::format("{} = {}\n", key, value_of(option->results().back()));
    else if (!option->get_default_str().empty())
      out += fmt::format("{} = {}\n", key, value_of(option->get_default_str()));
  }
  return out;
}

}  // namespace lk
