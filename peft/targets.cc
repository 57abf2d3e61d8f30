#include "peft/targets.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "engine/error.h"

namespace lk {
namespace {

bool is_ending(const std::string& name, const std::string& end) {
  return name == end || (name.size() > end.size() && name[name.size() - end.size() - 1] == '.' &&
                         name.compare(name.size() - end.size(), end.size(), end) == 0);
}

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

// Levenshtein distance.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

[[noreturn]] void nothing_matches(const std::vector<Linear*>& all, const std::string& wanted) {
  std::set<std::string> parts;
  for (const Linear* l : all) parts.insert(last_part(l->name()));
  std::vector<std::string> near(parts.begin(), parts.end());
  std::stable_sort(near.begin(), near.end(), [&](const std::string& a, const std::string& b) {
    return distance(a, wanted) < distance(b, wanted);
  });
  std::string list;
  for (const std::string& n : near) list += (list.empty() ? "" : ", ") + n;
  fail(
      "target_modules: '{}' matches no linear layer; this model has, nearest first: {} (or use "
      "all-linear)",
      wanted, list);
}

}  // namespace

std::vector<std::string> default_targets(const std::string& model_type) {
  static const std::map<std::string, std::vector<std::string>> table{
      {"bert", {"query", "value"}},    {"gpt2", {"c_attn"}},
      {"llama", {"q_proj", "v_proj"}}, {"mistral", {"q_proj", "v_proj"}},
      {"qwen2", {"q_proj", "v_proj"}}, {"qwen3", {"q_proj", "v_proj"}},
      {"roberta", {"query", "value"}}, {"t5", {"q", "v"}}};
  const auto found = table.find(model_type);
  return found == table.end() ? std::vector<std::string>{} : found->second;
}

std::vector<Linear*> target_linears(Model& model, const Settings& settings) {
  std::vector<Linear*> all, chosen;
  model.visit_linears([&](Linear& l) { all.push_back(&l); });
  if (settings.is_text("target_modules")) {
    const std::string pattern = settings.text("target_modules");
    if (pattern == "all-linear") {
      for (Linear* l : all)
        if (l->role() != Role::head && l->role() != Role::pooler) chosen.push_back(l);
      return chosen;
    }
    try {
      const std::regex expression(pattern);
      for (Linear* l : all)
        if (std::regex_match(l->name(), expression)) chosen.push_back(l);
    } catch (const std::regex_error&) {
      fail("{}: target_modules is '{}', not a regular expression", settings.source(), pattern);
    }
    if (chosen.empty()) nothing_matches(all, pattern);
    return chosen;
  }
  std::vector<std::string> names = settings.texts("target_modules");
  if (names.empty()) names = default_targets(model.info().model_type);
  std::set<Linear*> hit;
  for (const std::string& name : names) {
    const size_t before = hit.size();
    for (Linear* l : all)
      if (is_ending(l->name(), name)) hit.insert(l);
    if (hit.size() == before)
      for (Linear* l : all)
        if (name_of(l->role()) == name) hit.insert(l);
    if (hit.size() == before) nothing_matches(all, name);
  }
  for (Linear* l : all)
    if (hit.count(l)) chosen.push_back(l);
  return chosen;
}

}  // namespace lk
