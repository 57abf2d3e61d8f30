#include "nn/load.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/cpu.h"
#include "engine/files/atomic_file.h"
#include "engine/files/mapped_file.h"
#include "engine/kernels/random_normal.h"
#include "engine/memory.h"
#include "nn/models/models.h"

namespace lk {
namespace {

using Maker = std::unique_ptr<Model> (*)(const Config&, Task);
const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> table{
      {"bert", make_bert},       {"gpt2", make_gpt2},   {"llama", make_llama},
      {"mistral", make_mistral}, {"qwen2", make_qwen2}, {"qwen3", make_qwen3},
      {"roberta", make_roberta}, {"t5", make_t5}};
  return table;
}

// FNV-1a: each tensor has random numbers of its own, whatever else the model holds.
uint64_t name_stream(const std::string& name) {
  uint64_t h = 1469598103934665603u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return h;
}

bool ends_with(const std::string& s, std::string_view end) {
  return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

// The names under which files from different times and task heads hold a parameter.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> out{name};
  const size_t dot = name.find('.');
  const std::string first = name.substr(0, dot);
  if (first == "bert" || first == "roberta" || first == "transformer" || first == "model")
    out.push_back(name.substr(dot + 1));
  if (name == "shared.weight")  // the two of T5's stacks are the same, and a file may hold either
    out.insert(out.end(), {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"});
  for (size_t i = 0, n = out.size(); i < n; ++i) {
    std::string old = out[i];
    if (const size_t at = old.rfind("LayerNorm.weight"); at != std::string::npos)
      out.push_back(old.replace(at, 16, "LayerNorm.gamma"));
    old = out[i];
    if (const size_t at = old.rfind("LayerNorm.bias"); at != std::string::npos)
      out.push_back(old.replace(at, 14, "LayerNorm.beta"));
  }
  return out;
}

// What was read of a file leaves memory; a copy of it, made where it is not aligned, must stay.
void forget(const Tensor& t) {
  if (t.is_mapped()) forget_pages(t.raw(), static_cast<size_t>(t.bytes()));
}

DType dtype_for(const Parameter& p, DType compute) {
  if (p.shape.rank() >= 2) return compute;
  return compute == DType::f64 ? DType::f64 : DType::f32;
}

}  // namespace

std::vector<std::string> known_model_types() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

Task task_of(const Config& config) {
  const std::string architecture = config.architecture(), type = config.string("model_type", "");
  for (const auto& [part, task] : {std::pair{"ForSequenceClassification", Task::classification},
                                   {"ForTokenClassification", Task::token_classification},
                                   {"ForMaskedLM", Task::masked_lm}})
    if (architecture.find(part) != std::string::npos) return task;
  return type == "bert" || type == "roberta" ? Task::none : Task::causal_lm;
}

std::unique_ptr<Model> build_model(const Config& config, Task task) {
  const std::string type = config.string("model_type", "");
  const auto found = makers().find(type);
  if (found == makers().end()) {
    std::string known;
    for (const std::string& name : known_model_types()) known += (known.empty() ? "" : ", ") + name;
    fail("{}: model_type '{}' is not supported (supported: {})", config.file(), type, known);
  }
  return found->second(config, task);
}

void initialise(Parameter& parameter, double std, uint64_t seed, DType compute) {
  const CategoryScope weights(Category::weights);
  const Tensor t = Tensor::empty(parameter.shape, dtype_for(parameter, compute));
  if (parameter.shape.rank() == 1 || std == 0) {
    parameter.set(
        Tensor::full(parameter.shape, t.dtype(), ends_with(parameter.name, "bias") ? 0.0 : 1.0));
    return;
  }
  on_float(t.dtype(), [&](auto isa, auto type) {
    using T = decltype(type);
    random_normal(isa, t.data<T>(), t.numel(), static_cast<float>(std), seed,
                  name_stream(parameter.name));
  });
  parameter.set(t);
}

std::unique_ptr<Model> make_model(const Config& config, Task task, DType compute, uint64_t seed,
                                  const WeightFactory* weights) {
  auto model = build_model(config, task);
  model->set_compute_dtype(compute);
  const double std = config.number("initializer_range", 0, 10, 0.02);
  if (weights)
    model->visit_linears([&](Linear& linear) {
      if (!weights->wants(linear)) return;
      const auto& dense = dynamic_cast<DenseWeight&>(linear.weight());
      Parameter p(dense.parameter().name, dense.parameter().shape);
      initialise(p, std, seed, compute);
      linear.set_weight(weights->make(linear, p.name, p.var.value(), dense.in_out()));
      p.var = Var();
      release_cached_memory();  // the next matrix may be of another size
    });
  model->visit_parameters([&](Parameter& p) { initialise(p, std, seed, compute); });
  return model;
}

LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options) {
  Config config = Config::load(folder);
  if (options.labels > 0 && config.label_count() != options.labels) {
    nlohmann::json updated = config.json();
    updated.erase("id2label");
    updated.erase("label2id");
    updated.erase("problem_type");  // the new head is a classifier
    updated["num_labels"] = options.labels;
    config = Config::parse(updated.dump(), config.file());
  }
  require(options.weights || !config.has("quantization_config"),
          "{}: the weights are quantized (quantization_config), which is not supported here",
          config.file());
  LoadedModel out{build_model(config, options.task), config, {}, {}};
  out.model->set_compute_dtype(options.compute);
  const WeightFiles files = WeightFiles::open(folder);
  std::vector<std::string> heads = out.model->head_modules();
  if (!heads.empty()) heads.push_back("bert.pooler.dense");  // a masked-LM file has none
  const auto in_head = [&](const std::string& name) {
    return std::any_of(heads.begin(), heads.end(),
                       [&](const std::string& h) { return name.rfind(h + ".", 0) == 0; });
  };
  const double std = config.number("initializer_range", 0, 10, 0.02);
  std::set<std::string> used;
  if (options.weights) {
    out.model->visit_linears([&](Linear& linear) {
      const auto& dense = dynamic_cast<DenseWeight&>(linear.weight());
      const Parameter& p = dense.parameter();
      for (const std::string& name : spellings(p.name)) {
        if (!files.has(name)) continue;
        if (in_head(p.name) && files.shape(name) != p.shape) return;
        const CategoryScope weights(Category::weights);
        auto weight = options.weights->load(linear, {files, name, dense.in_out(), folder.string()});
        if (!weight) return;
        const Tensor t = files.get(name);
        forget(t);
        for (const std::string& n : files.names())
          if (n == name || n.rfind(name + ".", 0) == 0) used.insert(n);
        linear.set_weight(std::move(weight));
        release_cached_memory();
        return;
      }
    });
  }
  out.model->visit_parameters([&](Parameter& p) {
    for (const std::string& name : spellings(p.name)) {
      if (!files.has(name)) continue;
      Tensor t = files.get(name);
      used.insert(name);
      const bool new_head = in_head(p.name) && t.shape() != p.shape;
      if (new_head) break;
      require(t.shape() == p.shape, "{}: tensor '{}' has shape {}, but config.json asks for {}",
              folder.string(), name, t.shape(), p.shape);
      require(is_float(t.dtype()), "{}: tensor '{}' is {}; expected floating point",
              folder.string(), name, name_of(t.dtype()));
      const CategoryScope weights(Category::weights);
      p.set(t.to(dtype_for(p, options.compute)));
      if (!p.var.value().is_mapped()) forget(t);
      return;
    }
    require(in_head(p.name), "{}: tensor '{}' is missing (needed by {})", folder.string(), p.name,
            out.model->info().architecture);
    initialise(p, std, options.seed, options.compute);
    out.initialised.push_back(p.name);
  });
  for (const std::string& name : files.names())
    if (!used.count(name)) out.unused.push_back(name);
  return out;
}

void save_model(Model& model, const Config& config, const std::filesystem::path& folder,
                DType dtype, const std::vector<std::string>& label_names, int64_t max_shard_bytes) {
  std::filesystem::create_directories(folder);
  nlohmann::json json = config.json();
  json["architectures"] = {model.info().architecture};
  json["torch_dtype"] = dtype == DType::bf16  ? "bfloat16"
                        : dtype == DType::f16 ? "float16"
                                              : "float32";
  if (!label_names.empty()) {
    json.erase("num_labels");
    json["id2label"] = nlohmann::json::object();
    json["label2id"] = nlohmann::json::object();
    for (size_t i = 0; i < label_names.size(); ++i) {
      json["id2label"][std::to_string(i)] = label_names[i];
      json["label2id"][label_names[i]] = i;
    }
  }
  std::vector<NamedTensor> tensors;
  model.visit_parameters([&](Parameter& p) {
    tensors.push_back({p.name, p.var.value().to(dtype)});
  });
  save_weights(folder, tensors, max_shard_bytes);
  write_file_atomically(folder / "config.json", json.dump(2) + "\n");
}

}  // namespace lk
