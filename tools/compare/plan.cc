#include "tools/compare/plan.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <map>
#include <set>

#include "engine/error.h"

namespace lk {
namespace {

using Options = std::map<std::string, std::string>;  // flag to value; "" for a bare flag

// A row's own, or the table of what is tried for it.
bool is_option(const std::string& key) {
  return key != "name" && key != "seeds" && key != "search";
}

void require_free(const std::string& name, const std::string& at) {
  require(name != "output" && name != "resume" && name != "seed" && name != "config",
          "{} is set by compare itself; leave it out", at);
}

// What of finetune's options holds where nothing trains too, as bin/evaluate calls it. --train and
// its limit are where examples for the prompt come from.
const std::map<std::string, std::string>& without_training() {
  static const std::map<std::string, std::string> table{{"model", "model"},
                                                        {"dev", "data"},
                                                        {"dev-limit", "limit"},
                                                        {"train", "shots-from"},
                                                        {"train-limit", "shots-limit"},
                                                        {"template", "template"},
                                                        {"verbalizer", "verbalizer"},
                                                        {"chat-template", "chat-template"},
                                                        {"separator", "separator"},
                                                        {"max-length", "max-length"},
                                                        {"truncate", "truncate"},
                                                        {"max-new-tokens", "max-new-tokens"},
                                                        {"quant", "quant"},
                                                        {"quant-block-size", "quant-block-size"},
                                                        {"double-quant", "double-quant"},
                                                        {"quant-head", "quant-head"},
                                                        {"dtype", "dtype"},
                                                        {"device", "device"}};
  return table;
}

// The options of bin/evaluate for a row. Those that only training has a use for are left out of
// [options]; the row's own are taken as they are.
Options for_evaluate(const Options& common, const Options& own) {
  Options out;
  const auto count = own.find("shots");
  const bool shown = count != own.end() && count->second != "0";
  for (const Options* from : {&common, &own})
    for (const auto& [key, value] : *from) {
      const auto name = without_training().find(key);
      if (key == "method" || (name == without_training().end() && from == &common)) continue;
      if ((key == "train" || key == "train-limit") && !shown) continue;
      out[name == without_training().end() ? key : name->second] = value;
    }
  return out;
}

std::string scalar(const toml::node& node, const std::string& where) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto whole = node.value_exact<int64_t>()) return std::to_string(*whole);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  fail("{}: expected a string, a number, true, false or a list of strings and numbers", where);
}

// `false` leaves the option out (flags and methods' options take =true), a list becomes a,b,c.
void read_options(Options& out, const toml::table& table, const std::string& where) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str()), at = fmt::format("{}: '{}'", where, name);
    if (!is_option(name)) continue;
    require_free(name, at);
    if (const auto flag = node.value_exact<bool>()) {
      if (*flag)
        out[name] = "true";
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

// Each value of each option with each of the others'.
std::vector<Options> read_choices(const toml::node& node, const std::string& at) {
  const toml::table* search = node.as_table();
  require(search && !search->empty(), "{}: 'search': expected search.lr = [1e-3, 1e-2]", at);
  std::vector<Options> out{{}};
  for (const auto& [key, values] : *search) {
    const std::string name(key.str()), where = fmt::format("{}: 'search.{}'", at, name);
    require_free(name, where);
    const toml::array* list = values.as_array();
    require(list && list->size() > 1, "{}: expected a list of two values or more", where);
    std::vector<Options> longer;
    for (const Options& before : out)
      for (const toml::node& value : *list) {
        longer.push_back(before);
        longer.back()[name] = scalar(value, where);
      }
    out = std::move(longer);
  }
  return out;
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

std::vector<std::string> read_metrics(const toml::table& root, const std::string& where) {
  std::vector<std::string> out;
  if (const auto one = root["metric"].value<std::string>()) out.push_back(*one);
  if (const toml::array* list = root["metrics"].as_array())
    for (const toml::node& item : *list) {
      const auto name = item.value_exact<std::string>();
      require(name.has_value(), "{}: 'metrics': expected a list of names of scores", where);
      out.push_back(*name);
    }
  require(!out.empty() && !(root.contains("metric") && root.contains("metrics")),
          "{}: {}; expected the name of a score, metric = \"accuracy\", or "
          "metrics = [\"accuracy\", ...], the main one first",
          where, out.empty() ? "'metric' is missing" : "there are both 'metric' and 'metrics'");
  return out;
}

// "key=value", as a quoted string in the file; "key=false" leaves a flag out.
void apply_change(Options& common, Options& search, const std::string& change) {
  const size_t equals = change.find('=');
  require(equals != std::string::npos && equals > 0, "--set {}: expected KEY=VALUE", change);
  const bool searched = change.starts_with("search.");
  Options& out = searched ? search : common;
  const std::string key = change.substr(0, equals).substr(searched ? 7 : 0),
                    value = change.substr(equals + 1);
  require_free(key, fmt::format("--set {}: '{}'", change, key));
  if (value == "false")
    out.erase(key);
  else
    out[key] = value;
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

std::string label_of(const Run& run) {
  std::string choice;
  for (const std::string& word : run.choice) {
    const size_t equals = word.find('=');
    choice +=
        (choice.empty() ? " (" : ", ") + word.substr(2, equals - 2) + " " + word.substr(equals + 1);
  }
  return run.name + choice + (choice.empty() ? "" : ")");
}

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
    require(name == "title" || name == "description" || name == "metric" || name == "metrics" ||
                name == "seeds" || name == "options" || name == "search" || name == "run",
            "{}: '{}' is not known; expected title, description, metrics, seeds, [options], "
            "[search] and [[run]]",
            where, name);
  }
  ComparePlan plan;
  plan.title = root["title"].value_or(file.stem().string());
  plan.description = root["description"].value_or(std::string());
  plan.metrics = read_metrics(root, where);
  std::vector<uint64_t> seeds{0};
  if (const toml::node* node = root.get("seeds")) seeds = read_seeds(*node, where + ": 'seeds'");
  Options common, searching;
  for (const char* name : {"options", "search"})
    require(!root.contains(name) || root[name].is_table(), "{}: '{}' is no table; write [{}]",
            where, name, name);
  if (const toml::table* options = root["options"].as_table())
    read_options(common, *options, where + ": [options]");
  if (const toml::table* search = root["search"].as_table())
    read_options(searching, *search, where + ": [search]");
  for (const std::string& change : changes) apply_change(common, searching, change);
  plan.search_metric = plan.metrics[0];
  if (const auto metric = searching.extract("metric")) plan.search_metric = metric.mapped();

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
    Options options = common, own_options;
    read_options(options, *table, at);
    read_options(own_options, *table, at);
    const auto method = own_options.find("method");
    const bool trains = method == own_options.end() || method->second != "none";
    if (!trains) options = for_evaluate(common, own_options);
    const toml::node* own = table->get("seeds");
    std::vector<uint64_t> own_seeds = own ? read_seeds(*own, at + ": 'seeds'") : seeds;
    // Without training and without examples in the prompt every seed gives the same.
    if (!trains && !own && !options.count("shots")) own_seeds.resize(1);
    const toml::node* search = table->get("search");
    const std::vector<Options> choices =
        search ? read_choices(*search, at) : std::vector<Options>{{}};
    const auto run_of = [&](const Options& with, const Options& choice, uint64_t seed) {
      Run run{*name, fmt::format("{}-seed-{}", folder_name(*name), seed), seed, {}};
      if (!trains) run.tool = "evaluate";
      for (const auto& [flag, value] : with)
        if (!choice.count(flag)) run.arguments.push_back(fmt::format("--{}={}", flag, value));
      run.arguments.push_back(fmt::format("--seed={}", seed));
      for (const auto& [flag, value] : choice)
        run.choice.push_back(fmt::format("--{}={}", flag, value));
      run.arguments.insert(run.arguments.end(), run.choice.begin(), run.choice.end());
      return run;
    };
    if (search) {
      require(trains, "{}: 'search': nothing trains here", at);
      require(searching.count("dev"),
              "{}: 'search': [search] names no 'dev'; what is chosen by the records that the table "
              "reports would flatter it",
              at);
      Options tried = options;
      for (const auto& [key, value] : searching) tried[key] = value;
      for (const Options& choice : choices) {
        Run& run = plan.search.emplace_back(run_of(tried, choice, own_seeds[0]));
        std::string what;
        for (const std::string& word : run.choice) what += word;
        run.folder = fmt::format("search/{}{}", run.folder, what);
      }
    }
    for (const uint64_t seed : own_seeds)
      plan.runs.push_back(run_of(options, choices.front(), seed));
  }
  require(searching.empty() || !plan.search.empty(),
          "{}: [search] is for rows that search, as in search.lr = [1e-3, 1e-2]; there is none",
          where);
  return plan;
}

ComparePlan trial_of(const ComparePlan& plan, int64_t steps) {
  ComparePlan out = plan;
  out.runs.clear();
  for (const Run& run : plan.runs) {
    if (!out.runs.empty() && out.runs.back().name == run.name) continue;
    Run& trial = out.runs.emplace_back(run);
    trial.folder = "trial/" + run.folder;
    const bool trains = run.tool == "finetune";
    const std::string limit = trains ? "--dev-limit=" : "--limit=";
    std::erase_if(trial.arguments, [&](const std::string& a) { return a.rfind(limit, 0) == 0; });
    trial.arguments.push_back(limit + "16");
    if (trains) trial.arguments.push_back(fmt::format("--stop-after={}", steps));
  }
  return out;
}

}  // namespace lk
