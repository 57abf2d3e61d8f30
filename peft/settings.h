// The values of adapter_config.json, typed and checked.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lk {

class Settings {
 public:
  // `source`: what the messages call it, a file name or "the command line".
  Settings(const nlohmann::json& values, std::string source);
  Settings(const Settings& other);
  Settings& operator=(const Settings& other);
  ~Settings();

  bool has(const std::string& key) const;  // present and not null
  int64_t integer(const std::string& key, int64_t low, int64_t high) const;
  double number(const std::string& key, double low, double high) const;
  bool boolean(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;  // a list; empty when absent
  std::vector<std::string> texts_or_none(const std::string& key) const {  // empty for a string too
    return is_text(key) ? std::vector<std::string>{} : texts(key);
  }
  std::vector<int64_t> integers(const std::string& key) const;  // a list, or one number
  bool is_text(const std::string& key) const;
  bool has_text(const std::string& key) const { return is_text(key) && !text(key).empty(); }
  void set(const std::string& key, const nlohmann::json& value);
  // What is ours alone in adapter_config.json lies under "lorikeet"; null where it is not there.
  void remember(const std::string& key, const nlohmann::json& value);
  nlohmann::json remembered(const std::string& key) const;
  const nlohmann::json& json() const { return *values_; }
  const std::string& source() const { return source_; }

 private:
  std::unique_ptr<nlohmann::json> values_;
  std::string source_;
};

}  // namespace lk
