#include "tools/compare/plan.h"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <map>
#include <set>

#include "engine/error.h"

namespace lk {
namespace {

using Options = std::map<std::string, std::string>;  // flag to value; "" for a bare flag

void require_free(const std::string& name, const std::string& at) {
  require(name != "output" && name != "resume" && name != "seed" && name != "config",
          "{} is set by compare itself; leave it out", at);
}

std::string scalar(const toml::node& node, const std::string& where) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto whole = node.value_exact<int64_t>()) return std::to_string(*whole);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  fail("{}: expected a string, a number, true, false or a list of strings and numbers", where);
}

// `true` is a bare flag, `false` leaves it out, a list becomes a,b,c.
void read_options(Options& out, const toml::table& table, const std::string& where) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str()), at = fmt::format("{}: '{}'", where, name);
    if (name == "name" || name == "seeds") continue;
    require_free(name, at);
    if (const auto flag = node.value_exact<bool>()) {
      if (*flag)
        out[name] = "";
      else
        out.erase(name);
    } else if (const toml::array* list = node.as_array()) {
      std::string text;
      for (const toml::node& item : *list) text += (text.empty() ? "" : ",") + scalar(item, at);
      out[name] = text;
    } else {
      out[name] = scalar(node, at);
    }
  }
}

std::vector<uint64_t> read_seeds(const toml::node& node, const std::string& where) {
  std::vector<uint64_t> seeds;
  const toml::array* list = node.as_array();
  require(list && !list->empty(), "{}: expected a list of whole numbers such as [0, 1, 2]", where);
  for (const toml::node& item : *list) {
    const auto seed = item.value_exact<int64_t>();
    require(seed && *seed >= 0, "{}: expected whole numbers from 0 on", where);
    seeds.push_back(static_cast<uint64_t>(*seed));
  }
  return seeds;
}

// "key=value", as a quoted string in the file; "key=false" leaves a flag out.
void apply_change(Options& out, const std::string& change) {
  const size_t equals = change.find('=');
  require(equals != std::string::npos && equals > 0, "--set {}: expected KEY=VALUE", change);
  const std::string key = change.substr(0, equals), value = change.substr(equals + 1);
  require_free(key, fmt::format("--set {}: '{}'", change, key));
  if (value == "false")
    out.erase(key);
  else
    out[key] = value == "true" ? "" : value;
}

std::string folder_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain || (c >= 'A' && c <= 'Z'))
      out += static_cast<char>(plain ? c : c - 'A' + 'a');
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

}  // namespace

ComparePlan read_plan(const std::filesystem::path& file, const std::vector<std::string>& changes) {
  toml::table root;
  try {
    root = toml::parse_file(file.string());
  } catch (const toml::parse_error& e) {
    fail("{}:{}: {}", file.string(), e.source().begin.line, e.description());
  }
  const std::string where = file.string();
  for (const auto& [key, node] : root) {
    const std::string name(key.str());
    require(name == "title" || name == "metric" || name == "seeds" || name == "options" ||
                name == "run",
            "{}: '{}' is not known; expected title, metric, seeds, [options] and [[run]]", where,
            name);
  }
  ComparePlan plan;
  plan.title = root["title"].value_or(file.stem().string());
  const auto metric = root["metric"].value<std::string>();
  require(metric.has_value(),
          "{}: 'metric' is missing; expected the name of a score such as \"accuracy\"", where);
  plan.metric = *metric;
  std::vector<uint64_t> seeds{0};
  if (const toml::node* node = root.get("seeds")) seeds = read_seeds(*node, where + ": 'seeds'");
  Options common;
  if (const toml::table* options = root["options"].as_table())
    read_options(common, *options, where + ": [options]");
  for (const std::string& change : changes) apply_change(common, change);

  const toml::array* runs = root["run"].as_array();
  require(runs && !runs->empty(), "{}: there is no [[run]]", where);
  std::set<std::string> folders;
  for (const toml::node& node : *runs) {
    const std::string at = fmt::format("{}:{}", where, node.source().begin.line);
    const toml::table* table = node.as_table();
    require(table != nullptr, "{}: a run is no table; write [[run]]", at);
    const auto name = (*table)["name"].value<std::string>();
    require(name && !folder_name(*name).empty(), "{}: 'name' of the [[run]] is missing", at);
    require(folders.insert(folder_name(*name)).second, "{}: the name '{}' occurs twice", at, *name);
    Options options = common;
    read_options(options, *table, at);
    const toml::node* own = table->get("seeds");
    for (const uint64_t seed : own ? read_seeds(*own, at + ": 'seeds'") : seeds) {
      Run run{*name, fmt::format("{}-seed-{}", folder_name(*name), seed), seed, {}};
      for (const auto& [flag, value] : options) {
        run.arguments.push_back("--" + flag);
        if (!value.empty()) run.arguments.back() += "=" + value;
      }
      run.arguments.push_back(fmt::format("--seed={}", seed));
      plan.runs.push_back(std::move(run));
    }
  }
  return plan;
}

}  // namespace lk
