#include "peft/settings.h"

#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace lk {

Settings::Settings(const nlohmann::json& values, std::string source)
    : values_(std::make_unique<nlohmann::json>(values)), source_(std::move(source)) {
  require(values_->is_object(), "{}: expected a JSON object, found {}", source_,
          values_->type_name());
}
Settings::Settings(const Settings& other)
    : values_(std::make_unique<nlohmann::json>(*other.values_)), source_(other.source_) {}
Settings& Settings::operator=(const Settings& other) {
  if (this == &other) return *this;
  values_ = std::make_unique<nlohmann::json>(*other.values_);
  source_ = other.source_;
  return *this;
}
Settings::~Settings() = default;

bool Settings::has(const std::string& key) const {
  const auto it = values_->find(key);
  return it != values_->end() && !it->is_null();
}

int64_t Settings::integer(const std::string& key, int64_t low, int64_t high) const {
  require(has(key) && (*values_)[key].is_number_integer(),
          "{}: '{}' is {}; expected a whole number", source_, key,
          has(key) ? (*values_)[key].dump() : "missing");
  const auto& v = (*values_)[key];
  const int64_t n =
      v.is_number_unsigned() && v.get<uint64_t>() > INT64_MAX ? INT64_MAX : v.get<int64_t>();
  require(n >= low && n <= high, "{}: '{}' is {}; expected {}..{}", source_, key, n, low, high);
  return n;
}

double Settings::number(const std::string& key, double low, double high) const {
  require(has(key) && (*values_)[key].is_number(), "{}: '{}' is {}; expected a number", source_,
          key, has(key) ? (*values_)[key].dump() : "missing");
  const auto x = (*values_)[key].get<double>();
  require(x >= low && x <= high, "{}: '{}' is {}; expected {}..{}", source_, key, x, low, high);
  return x;
}

bool Settings::boolean(const std::string& key) const {
  if (!has(key)) return false;
  require((*values_)[key].is_boolean(), "{}: '{}' is {}; expected true or false", source_, key,
          (*values_)[key].dump());
  return (*values_)[key].get<bool>();
}

bool Settings::is_text(const std::string& key) const {
  return has(key) && (*values_)[key].is_string();
}

std::string Settings::text(const std::string& key) const {
  require(is_text(key), "{}: '{}' is {}; expected a string", source_, key,
          has(key) ? (*values_)[key].dump() : "missing");
  return (*values_)[key].get<std::string>();
}

std::vector<std::string> Settings::texts(const std::string& key) const {
  std::vector<std::string> out;
  if (!has(key)) return out;
  const auto& list = (*values_)[key];
  require(list.is_array(), "{}: '{}' is {}; expected a list of strings", source_, key, list.dump());
  for (const auto& item : list) {
    require(item.is_string(), "{}: '{}' holds {}; expected strings", source_, key, item.dump());
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<int64_t> Settings::integers(const std::string& key) const {
  std::vector<int64_t> out;
  if (!has(key)) return out;
  const auto& value = (*values_)[key];
  const auto take = [&](const nlohmann::json& item) {
    require(item.is_number_integer(), "{}: '{}' is {}; expected whole numbers", source_, key,
            value.dump());
    out.push_back(item.get<int64_t>());
  };
  if (value.is_array())
    for (const auto& item : value) take(item);
  else
    take(value);
  return out;
}

void Settings::set(const std::string& key, const nlohmann::json& value) { (*values_)[key] = value; }

void Settings::remember(const std::string& key, const nlohmann::json& value) {
  nlohmann::json& ours = (*values_)["lorikeet"];
  if (!ours.is_object()) ours = nlohmann::json::object();
  ours[key] = value;
}

nlohmann::json Settings::remembered(const std::string& key) const {
  const auto ours = values_->find("lorikeet");
  if (ours == values_->end() || !ours->is_object()) return nullptr;
  return ours->value(key, nlohmann::json());
}

}  // namespace lk
