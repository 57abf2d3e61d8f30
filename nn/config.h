// config.json of a model folder, read with care: every field is checked, every error names file and
// field.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lk {

class Config {
 public:
  // Reads FOLDER/config.json.
  static Config load(const std::filesystem::path& folder);
  static Config parse(const std::string& text,
                      const std::string& name);  // for models made from scratch
  ~Config();
  Config(Config&&) noexcept;
  Config(const Config&);
  Config& operator=(Config&&) noexcept;

  bool has(const std::string& key) const;  // present and not null
  // Error when missing (without a default), of another type, or outside [low, high].
  int64_t integer(const std::string& key, int64_t low, int64_t high) const;
  int64_t integer(const std::string& key, int64_t low, int64_t high, int64_t fallback) const;
  double number(const std::string& key, double low, double high, double fallback) const;
  bool boolean(const std::string& key, bool fallback) const;
  std::string string(const std::string& key, const std::string& fallback) const;
  std::vector<int32_t> ids(const std::string& key) const;  // a number, a list, or nothing
  Config object(const std::string& key) const;             // a nested object
  std::string architecture() const;                        // architectures[0]
  int64_t label_count() const;  // num_labels or the size of id2label; 0 when absent
  const std::string& file() const { return file_; }
  const nlohmann::json& json() const { return *json_; }

 private:
  Config(std::string file, nlohmann::json json);
  std::string file_;
  std::unique_ptr<nlohmann::json> json_;
};

}  // namespace lk
