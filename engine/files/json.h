// JSON from files that are not to be trusted.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lk {

// Error with the place of the mistake; nesting deeper than 100 and doubled keys are refused. `name`
// is what the messages call the text.
nlohmann::json parse_json(std::string_view text, const std::string& name);
nlohmann::json read_json(const std::filesystem::path& path);
std::string read_text(
    const std::filesystem::path& path);  // a whole file; Error when it cannot be read

}  // namespace lk
