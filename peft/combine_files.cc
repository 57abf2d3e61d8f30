#include "peft/combine_files.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/files/json.h"
#include "engine/files/safetensors.h"
#include "peft/adapter_files.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

using nlohmann::json;

const std::string kRoot = "base_model.model.";

// How a pair of A and B stands in files: behind the module's name.
struct Spelling {
  std::string a, b;
};
const Spelling kLinear{".lora_A.weight", ".lora_B.weight"},
    kEmbedding{".lora_embedding_A", ".lora_embedding_B"};

struct LoraFile {
  json config;
  std::string base;
  std::map<std::string, LowRank> linears, embeddings;  // by module
  int64_t rank = 0;                                    // the largest
};

void check_plain(const Settings& s, const json& config) {
  require(!s.boolean("use_dora"), "{}: DoRA's magnitudes cannot be combined (use_dora)",
          s.source());
  require(stacked_on(s).empty(), "{}: it lies on other adapters, without which it says little",
          s.source());
  const json start = config.value("init_lora_weights", json(true));
  const std::string kind = start.is_string() ? start.get<std::string>() : "";
  require(
      !kind.starts_with("pissa") && !kind.starts_with("olora"),
      "{}: init_lora_weights '{}' replaced the base's weights, so that this adapter fits no base "
      "that others fit",
      s.source(), kind);
}

LoraFile read(const std::filesystem::path& folder) {
  const AdapterConfig config = read_adapter_config(folder);
  const std::filesystem::path file = folder / "adapter_model.safetensors";
  require(config.info->peft_type == "LORA",
          "{}: only LoRA adapters can be combined; this one's method is {}",
          config.settings.source(), config.info->name);
  LoraFile out;
  out.config = read_json(folder / "adapter_config.json");
  out.base = config.base;
  check_plain(config.settings, out.config);
  const auto tensors = SafetensorsFile::open(file);
  size_t taken = 0;
  for (const std::string& name : tensors->names()) {
    for (const Spelling* s : {&kLinear, &kEmbedding}) {
      if (!name.starts_with(kRoot) || !name.ends_with(s->a)) continue;
      const std::string stem = name.substr(0, name.size() - s->a.size()),
                        module = stem.substr(kRoot.size());
      require(tensors->has(stem + s->b), "{}: '{}' has no '{}' beside it", file.string(), name,
              stem + s->b);
      LowRank part{tensors->get(name), tensors->get(stem + s->b)};
      require(part.a.shape().rank() == 2 && part.b.shape().rank() == 2,
              "{}: '{}' is {}; expected a matrix", file.string(), name, part.a.shape());
      const double alpha = pattern_value(config.settings, "alpha_pattern", module,
                                         config.settings.number("lora_alpha", 0, 1e9));
      const auto r = static_cast<double>(part.a.dim(0));
      part.scale = alpha / (config.settings.boolean("use_rslora") ? std::sqrt(r) : r);
      out.rank = std::max(out.rank, part.a.dim(0));
      (s == &kLinear ? out.linears : out.embeddings)[module] = part;
      taken += 2;
    }
  }
  for (const std::string& name : tensors->names())
    require(name.find(".lora_") != std::string::npos,
            "{}: holds '{}', a weight of the base itself; only adapters of LoRA parts alone can be "
            "combined",
            file.string(), name);
  require(taken == tensors->names().size() && taken > 0,
          "{}: holds {} tensors, of which {} are LoRA's", file.string(), tensors->names().size(),
          taken);
  return out;
}

// HF PEFT's union of names, where each adapter has a list of them and no other choice of layers;
// else the modules one by one.
json target_modules(const std::vector<LoraFile>& adapters, const std::set<std::string>& modules) {
  std::set<std::string> names;
  for (const LoraFile& adapter : adapters) {
    const json targets = adapter.config.value("target_modules", json());
    for (const char* key : {"layers_to_transform", "exclude_modules", "layers_pattern"})
      if (!adapter.config.value(key, json()).is_null()) return modules;
    if (!targets.is_array()) return modules;
    for (const auto& t : targets) names.insert(t.get<std::string>());
  }
  return names;
}

}  // namespace

void combine_adapters(const std::vector<std::filesystem::path>& folders,
                      const std::vector<double>& weights, const CombineOptions& given,
                      const std::filesystem::path& output, bool any_base) {
  require(folders.size() == weights.size(), "{} adapters have {} weights; pass one for each",
          folders.size(), weights.size());
  CombineOptions o = given;
  check(o);
  std::vector<LoraFile> adapters;
  for (const auto& folder : folders) {
    require(!std::filesystem::exists(output) || !std::filesystem::equivalent(folder, output),
            "{}: is one of the adapters; choose another --output", output.string());
    adapters.push_back(read(folder));
    require(any_base || adapters.back().base == adapters[0].base,
            "{} was made for the base '{}', but {} for '{}'; pass --model with the base they share",
            folders[0].string(), adapters[0].base, folder.string(), adapters.back().base);
  }
  int64_t largest = 0, total = 0;
  for (const LoraFile& a : adapters) largest = std::max(largest, a.rank), total += a.rank;
  const int64_t rank = o.type == "cat" ? total : o.rank > 0 ? o.rank : largest;

  std::vector<NamedTensor> tensors;
  std::set<std::string> modules;
  Random random(o.seed);
  const auto put_all = [&](std::map<std::string, LowRank> LoraFile::*parts, const Spelling& s) {
    std::set<std::string> names;
    for (const LoraFile& a : adapters)
      for (const auto& [module, part] : a.*parts) names.insert(module);
    for (const std::string& module : names) {
      std::vector<LowRank> found;
      std::vector<double> w;
      for (size_t i = 0; i < adapters.size(); ++i) {
        const auto part = (adapters[i].*parts).find(module);
        if (part == (adapters[i].*parts).end()) continue;
        found.push_back(part->second);
        w.push_back(weights[i]);
      }
      try {
        const LowRank sum = combine(found, w, o, rank, random);
        tensors.push_back({kRoot + module + s.a, sum.a});
        tensors.push_back({kRoot + module + s.b, sum.b});
      } catch (const Error& e) {
        fail("{}: {}", module, e.what());
      }
    }
    modules.merge(names);
  };
  put_all(&LoraFile::linears, kLinear);
  put_all(&LoraFile::embeddings, kEmbedding);

  json config = adapters[0].config;
  config["r"] = rank;
  config["lora_alpha"] = rank;
  config["use_rslora"] = false;  // the scale is 1
  config["alpha_pattern"] = json::object();
  config["rank_pattern"] = json::object();
  config["target_modules"] = target_modules(adapters, modules);
  for (const char* key : {"layers_to_transform", "exclude_modules", "layers_pattern"})
    if (config.contains(key)) config[key] = nullptr;
  std::filesystem::create_directories(output);
  save_safetensors(output / "adapter_model.safetensors", tensors);
  write_file_atomically(output / "adapter_config.json", config.dump(2) + "\n");
}

}  // namespace lk
