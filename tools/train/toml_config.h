// Options from a TOML file, and the options in force as one, for CLI11, whose own reader takes only
// a part of TOML and passes over keys it does not know.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lk {

// Keys are long options without the dashes. Strings, numbers and booleans; a list becomes its items
// joined by commas. Throws CLI::FileError naming file and line for what is not TOML, or is none of
// these.
class TomlConfig : public CLI::Config {
 public:
  std::string to_config(const CLI::App* app, bool default_also, bool write_description,
                        std::string prefix) const override;
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
};

}  // namespace lk
