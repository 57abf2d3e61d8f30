#include "engine/files/json.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "engine/error.h"

namespace lk {

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;
  const auto guard = [&](int depth, Event event, nlohmann::json& value) {
    require(depth <= 100, "{}: nested more than 100 deep", name);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key)
      require(keys.back().insert(value.get<std::string>()).second, "{}: the key '{}' stands twice",
              name, value.get<std::string>());
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), guard);
  } catch (const nlohmann::json::exception& e) {
    const std::string what =
        e.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const size_t start = what.find("] ");
    fail("{}: not valid JSON: {}", name,
         start == std::string::npos ? what : what.substr(start + 2));
  }
}

std::string read_text(const std::filesystem::path& path) {
  require(!std::filesystem::is_directory(path), "{}: is a folder, expected a file", path.string());
  std::ifstream in(path, std::ios::binary);
  require(in.good(), "{}: cannot be opened: {}", path.string(), std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  require(!in.bad(), "{}: reading failed: {}", path.string(), std::strerror(errno));
  return text;
}

nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
}

}  // namespace lk
