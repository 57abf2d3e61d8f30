#include "nn/config.h"

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {

Config::Config(std::string file, nlohmann::json json)
    : file_(std::move(file)), json_(std::make_unique<nlohmann::json>(std::move(json))) {
  require(json_->is_object(), "{}: expected a JSON object at the top, found {}", file_,
          json_->type_name());
}
Config::~Config() = default;
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::Config(const Config& other)
    : file_(other.file_), json_(std::make_unique<nlohmann::json>(*other.json_)) {}

Config Config::load(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  require(std::filesystem::is_directory(folder),
          "{}: no such folder; --model takes a folder that holds config.json and weights",
          folder.string());
  return Config(file.string(), read_json(file));
}

Config Config::parse(const std::string& text, const std::string& name) {
  return Config(name, parse_json(text, name));
}

bool Config::has(const std::string& key) const {
  const auto it = json_->find(key);
  return it != json_->end() && !it->is_null();
}

int64_t Config::integer(const std::string& key, int64_t low, int64_t high) const {
  require(has(key), "{}: the field '{}' is missing; expected a whole number in {}..{}", file_, key,
          low, high);
  const auto& v = (*json_)[key];
  require(v.is_number_integer(), "{}: '{}' is {}; expected a whole number", file_, key, v.dump());
  // An unsigned value above int64 must not wrap round.
  require(!v.is_number_unsigned() || v.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX),
          "{}: '{}' is {}, far too large", file_, key, v.dump());
  const auto n = v.get<int64_t>();
  require(n >= low && n <= high, "{}: '{}' is {}; expected {}..{}", file_, key, n, low, high);
  return n;
}

int64_t Config::integer(const std::string& key, int64_t low, int64_t high, int64_t fallback) const {
  return has(key) ? integer(key, low, high) : fallback;
}

double Config::number(const std::string& key, double low, double high, double fallback) const {
  if (!has(key)) return fallback;
  const auto& v = (*json_)[key];
  require(v.is_number(), "{}: '{}' is {}; expected a number", file_, key, v.dump());
  const auto x = v.get<double>();
  require(x >= low && x <= high, "{}: '{}' is {}; expected {}..{}", file_, key, x, low, high);
  return x;
}

bool Config::boolean(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  const auto& v = (*json_)[key];
  require(v.is_boolean(), "{}: '{}' is {}; expected true or false", file_, key, v.dump());
  return v.get<bool>();
}

std::string Config::string(const std::string& key, const std::string& fallback) const {
  if (!has(key)) return fallback;
  const auto& v = (*json_)[key];
  require(v.is_string(), "{}: '{}' is {}; expected a string", file_, key, v.dump());
  return v.get<std::string>();
}

std::vector<int32_t> Config::ids(const std::string& key) const {
  if (!has(key)) return {};
  const auto& v = (*json_)[key];
  std::vector<int32_t> out;
  for (const auto& item : v.is_array() ? v : nlohmann::json::array({v})) {
    require(
        item.is_number_integer() && item.get<int64_t>() >= 0 && item.get<int64_t>() <= INT32_MAX,
        "{}: '{}' is {}; expected a token id or a list of them", file_, key, v.dump());
    out.push_back(item.get<int32_t>());
  }
  return out;
}

Config Config::object(const std::string& key) const {
  require(has(key), "{}: the field '{}' is missing; expected an object", file_, key);
  require((*json_)[key].is_object(), "{}: '{}' is {}; expected an object", file_, key,
          (*json_)[key].dump());
  return Config(file_ + ": " + key, (*json_)[key]);
}

std::string Config::architecture() const {
  require(
      has("architectures") && (*json_)["architectures"].is_array() &&
          !(*json_)["architectures"].empty() && (*json_)["architectures"][0].is_string(),
      "{}: the field 'architectures' is missing; expected a list such as [\"LlamaForCausalLM\"]",
      file_);
  return (*json_)["architectures"][0].get<std::string>();
}

int64_t Config::label_count() const {
  if (has("id2label")) {
    require((*json_)["id2label"].is_object(), "{}: 'id2label' is not an object", file_);
    return static_cast<int64_t>((*json_)["id2label"].size());
  }
  return integer("num_labels", 1, 1 << 20, 0);
}

}  // namespace lk
