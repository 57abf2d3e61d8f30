#include "peft/targets.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "engine/error.h"
#include "peft/name_pattern.h"
#include "peft/nearest.h"

namespace lk {
namespace {

bool is_ending(const std::string& name, const std::string& end) {
  return name == end || (name.size() > end.size() && name[name.size() - end.size() - 1] == '.' &&
                         name.compare(name.size() - end.size(), end.size(), end) == 0);
}

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

[[noreturn]] void nothing_matches(const std::string& key, const std::vector<std::string>& modules,
                                  const std::string& wanted) {
  std::set<std::string> parts;
  for (const std::string& m : modules) parts.insert(last_part(m));
  fail(
      "{}: '{}' matches no linear layer or embedding; this model has, nearest first: {} (or use "
      "all-linear)",
      key, wanted, nearest(wanted, {parts.begin(), parts.end()}, 0));
}

NamePattern expression_of(const Settings& settings, const std::string& key) {
  return {settings.text(key), settings.source() + ": " + key};
}

// The block that a module belongs to, as HF PEFT reads it from the name; -1 outside.
int64_t layer_of(const std::string& module, const std::vector<NamePattern>& patterns) {
  for (const NamePattern& pattern : patterns) {
    const auto number = pattern.first_group(module);
    int64_t layer = -1;
    if (!number) continue;
    const auto [end, error] =
        std::from_chars(number->data(), number->data() + number->size(), layer);
    if (error == std::errc() && end == number->data() + number->size()) return layer;
  }
  return -1;
}

// A list of one name may be given as the name.
std::vector<std::string> one_or_more(const Settings& settings, const std::string& key) {
  if (settings.is_text(key)) return {settings.text(key)};
  return settings.texts(key);
}

// Takes away what exclude_modules and layers_to_transform leave out.
void narrow(std::set<std::string>& chosen, const Settings& settings) {
  if (settings.has("exclude_modules")) {
    const bool one = settings.is_text("exclude_modules");
    std::optional<NamePattern> expression;
    if (one) expression = expression_of(settings, "exclude_modules");
    const auto names = settings.texts_or_none("exclude_modules");
    std::erase_if(chosen, [&](const std::string& m) {
      return expression ? expression->matches(m) : is_named(m, names);
    });
    require(!chosen.empty(), "{}: exclude_modules leaves no target", settings.source());
  }
  if (!settings.has("layers_to_transform")) return;
  const std::vector<int64_t> layers = settings.integers("layers_to_transform");
  std::vector<NamePattern> patterns;
  std::vector<std::string> parts = one_or_more(settings, "layers_pattern");
  if (parts.empty()) parts = {"[^.]*"};
  for (const std::string& part : parts)
    patterns.emplace_back("^.*\\." + part + "\\.(\\d+)\\.", settings.source() + ": layers_pattern");
  std::set<int64_t> there;
  std::erase_if(chosen, [&](const std::string& m) {
    there.insert(layer_of(m, patterns));
    return std::find(layers.begin(), layers.end(), layer_of(m, patterns)) == layers.end();
  });
  for (const int64_t l : layers)
    require(there.count(l) > 0, "{}: layers_to_transform names layer {}; the targets have {}..{}",
            settings.source(), l, *there.begin(), *there.rbegin());
}

}  // namespace

bool is_named(const std::string& module, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& n) { return is_ending(module, n); });
}

std::vector<std::string> default_targets(const std::string& model_type) {
  static const std::map<std::string, std::vector<std::string>> table{
      {"bert", {"query", "value"}},
      {"roberta", {"query", "value"}},
      {"gpt2", {"c_attn"}},
      {"llama", {"q_proj", "v_proj"}},
      {"mistral", {"q_proj", "v_proj"}},
      {"qwen2", {"q_proj", "v_proj"}},
      {"qwen3", {"q_proj", "v_proj"}},
      {"t5", {"q", "v"}}};
  const auto found = table.find(model_type);
  return found == table.end() ? std::vector<std::string>{} : found->second;
}

Targets find_targets(Model& model, const Settings& settings,
                     const std::vector<std::string>& usual) {
  std::vector<Linear*> linears;
  std::vector<Embedding*> embeddings;
  std::vector<std::string> modules;
  model.visit_linears([&](Linear& l) { linears.push_back(&l), modules.push_back(l.name()); });
  model.visit_embeddings(
      [&](Embedding& e) { embeddings.push_back(&e), modules.push_back(e.name); });
  std::set<std::string> chosen;
  if (settings.is_text("target_modules") && settings.text("target_modules") == "all-linear") {
    for (const Linear* l : linears)
      if (l->role() != Role::head && l->role() != Role::pooler) chosen.insert(l->name());
  } else if (settings.is_text("target_modules")) {
    const std::string pattern = settings.text("target_modules");
    const NamePattern expression = expression_of(settings, "target_modules");
    for (const std::string& m : modules)
      if (expression.matches(m)) chosen.insert(m);
    if (chosen.empty()) nothing_matches("target_modules", modules, pattern);
  } else {
    std::vector<std::string> names = settings.texts("target_modules");
    if (names.empty()) names = usual;
    require(!names.empty(), "{}: there is no usual choice of target_modules for {}; name them",
            settings.source(), model.info().model_type);
    for (const std::string& name : names) {
      bool hit = false;
      for (const std::string& m : modules)
        if (is_ending(m, name)) chosen.insert(m), hit = true;
      if (hit) continue;
      for (const Linear* l : linears)
        if (name_of(l->role()) == name) chosen.insert(l->name()), hit = true;
      // HF PEFT's lists for a family name modules that only some of its models have; an adapter
      // that was saved with such a list is held to its tensors instead.
      const bool saved = settings.has("peft_type");
      if (!hit && !saved) nothing_matches("target_modules", modules, name);
    }
    if (chosen.empty()) nothing_matches("target_modules", modules, names.front());
  }
  narrow(chosen, settings);
  std::erase_if(linears, [&](const Linear* l) { return chosen.count(l->name()) == 0; });
  std::erase_if(embeddings, [&](const Embedding* e) { return chosen.count(e->name) == 0; });
  return {linears, embeddings};
}

}  // namespace lk
