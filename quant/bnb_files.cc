#include "quant/bnb_files.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/codebook.h"
#include "engine/files/atomic_file.h"
#include "quant/quantized_weight.h"

namespace lk {
namespace {

using nlohmann::json;
const std::string kState = ".quant_state.bitsandbytes__";

std::vector<float> codebook_of(const QuantSpec& spec) {
  if (spec.type == "int8") return {int8_steps().values.begin(), int8_steps().values.end()};
  const auto& values = codebook4(spec.type).values;
  return {values.begin(), values.end()};
}

std::string torch_name(DType dtype) {
  return dtype == DType::bf16 ? "bfloat16" : dtype == DType::f16 ? "float16" : "float32";
}

// The parts of one quantized tensor, each checked as it is read.
class Parts {
 public:
  Parts(const WeightFiles& files, std::string name, std::string where)
      : files_(files), name_(std::move(name)), where_(std::move(where)) {}

  json state() const {
    for (const std::string& type : quant_types()) {
      const std::string full = name_ + kState + type;
      if (!files_.has(full)) continue;
      const Tensor t = files_.get(full);
      require(t.dtype() == DType::u8, "{}: '{}' is {}; expected a JSON text as u8", where_, full,
              name_of(t.dtype()));
      const auto text = t.span<uint8_t>();
      json parsed = json::parse(text.begin(), text.end(), nullptr, false);
      require(parsed.is_object(), "{}: '{}' is not a JSON object", where_, full);
      require(parsed.value("quant_type", "") == type,
              "{}: '{}' says quant_type {}; expected \"{}\"", where_, full,
              parsed.contains("quant_type") ? parsed["quant_type"].dump() : "nothing", type);
      return parsed;
    }
    fail(
        "{}: tensor '{}' is quantized, but its '{}{}TYPE' is missing (TYPE: nf4, fp4, int4 or "
        "int8)",
        where_, name_, name_, kState);
  }

  int64_t integer(const json& state, const char* key) const {
    require(state.contains(key) && state[key].is_number_integer(),
            "{}: the quantization state of '{}' has no integer '{}'", where_, name_, key);
    return state[key].get<int64_t>();
  }

  Tensor get(const std::string& part, DType dtype, int64_t count) const {
    const std::string full = name_ + part;
    require(files_.has(full), "{}: tensor '{}' is quantized, but '{}' is missing", where_, name_,
            full);
    require(files_.dtype(full) == dtype && files_.shape(full).numel() == count,
            "{}: '{}' is {} with {} values; expected {} with {}", where_, full,
            name_of(files_.dtype(full)), files_.shape(full).numel(), name_of(dtype), count);
    // Of our own: what is read for every product shall not depend on the page cache.
    return files_.get(full).clone().view({count});
  }

  void check_map(const std::string& part, std::span<const float> expected) const {
    const Tensor map = get(part, DType::f32, static_cast<int64_t>(expected.size()));
    for (size_t i = 0; i < expected.size(); ++i)
      require(std::abs(map.data<float>()[i] - expected[i]) <= 1e-6f,
              "{}: '{}{}' holds {} at code {}, where this type has {}", where_, name_, part,
              map.data<float>()[i], i, expected[i]);
  }

 private:
  const WeightFiles& files_;
  std::string name_, where_;
};

}  // namespace

Quantized read_quantized(const WeightFiles& files, const std::string& name, const Shape& shape,
                         const std::string& where) {
  const Parts parts(files, name, where);
  const json state = parts.state();
  Quantized q;
  q.spec.type = state["quant_type"].get<std::string>();
  q.spec.block_size = parts.integer(state, "blocksize");
  check_spec(q.spec, where + ": '" + name + "'");
  require(state.contains("shape") && state["shape"].is_array(),
          "{}: the quantization state of '{}' has no 'shape'", where, name);
  const json expected = json::array({shape[0], shape[1]});
  require(state["shape"] == expected,
          "{}: the quantization state of '{}' says shape {}; config.json asks for {}", where, name,
          state["shape"].dump(), expected.dump());
  q.shape = shape;
  const std::string dtype = state.value("dtype", "");
  require(
      dtype == "float32" || dtype == "bfloat16" || dtype == "float16",
      "{}: the quantization state of '{}' says dtype '{}'; expected float32, bfloat16 or float16",
      where, name, dtype);
  q.dtype = dtype == "bfloat16" ? DType::bf16 : dtype == "float16" ? DType::f16 : DType::f32;
  parts.check_map(".quant_map", codebook_of(q.spec));
  q.codes = parts.get("", DType::u8, bits_of(q.spec) == 8 ? q.numel() : (q.numel() + 1) / 2);
  q.spec.double_quant = files.has(name + ".nested_absmax") || state.contains("nested_offset");
  if (!q.spec.double_quant) {
    q.absmax = parts.get(".absmax", DType::f32, q.blocks());
    return q;
  }
  const int64_t nested = parts.integer(state, "nested_blocksize");
  require(nested == kNestedBlock, "{}: '{}' has nested blocks of {}; {} are supported", where, name,
          nested, kNestedBlock);
  require(state.contains("nested_offset") && state["nested_offset"].is_number(),
          "{}: the quantization state of '{}' has no number 'nested_offset'", where, name);
  q.offset = state["nested_offset"].get<float>();
  parts.check_map(".nested_quant_map", dynamic_map(true));
  q.absmax_codes = parts.get(".absmax", DType::u8, q.blocks());
  q.nested_absmax = parts.get(".nested_absmax", DType::f32, (q.blocks() + nested - 1) / nested);
  return q;
}

void append_quantized(std::vector<NamedTensor>& tensors, const std::string& name,
                      const Quantized& q) {
  nlohmann::ordered_json state{{"quant_type", q.spec.type},
                               {"blocksize", q.spec.block_size},
                               {"dtype", torch_name(q.dtype)},
                               {"shape", {q.shape[0], q.shape[1]}}};
  tensors.push_back({name, q.codes.view({q.codes.numel(), 1})});
  tensors.push_back({name + ".quant_map", Tensor::from(codebook_of(q.spec))});
  if (q.spec.double_quant) {
    const auto& map = dynamic_map(true);
    tensors.push_back({name + ".absmax", q.absmax_codes});
    tensors.push_back({name + ".nested_absmax", q.nested_absmax});
    tensors.push_back(
        {name + ".nested_quant_map", Tensor::from(std::span<const float>(map), {256})});
    state["nested_blocksize"] = kNestedBlock;
    state["nested_dtype"] = "float32";
    state["nested_offset"] = static_cast<double>(q.offset);
  } else {
    tensors.push_back({name + ".absmax", q.absmax});
  }
  const std::string text = state.dump();
  tensors.push_back(
      {name + kState + q.spec.type, Tensor::from(std::vector<uint8_t>(text.begin(), text.end()))});
}

std::optional<QuantSpec> stored_spec(const Config& config) {
  if (!config.has("quantization_config")) return std::nullopt;
  const json& q = config.json()["quantization_config"];
  require(q.is_object(), "{}: 'quantization_config' is {}; expected an object", config.file(),
          q.dump());
  const std::string method = q.value("quant_method", "bitsandbytes");
  require(method == "bitsandbytes" || method == "lorikeet",
          "{}: quant_method '{}' is not supported (supported: bitsandbytes in 4 bits)",
          config.file(), method);
  QuantSpec spec;
  if (method == "lorikeet") {
    spec.type = q.value("quant_type", "");
    spec.block_size = q.value("block_size", int64_t{0});
    spec.double_quant = q.value("double_quant", false);
  } else {
    require(q.value("load_in_4bit", false) || q.value("_load_in_4bit", false),
            "{}: only bitsandbytes' 4-bit folders are supported; this one is not load_in_4bit",
            config.file());
    spec.type = q.value("bnb_4bit_quant_type", "fp4");
    spec.double_quant = q.value("bnb_4bit_use_double_quant", false);
  }
  check_spec(spec, config.file() + ": quantization_config");
  return spec;
}

void save_quantized_model(Model& model, const Config& config, const std::filesystem::path& folder,
                          DType dtype) {
  std::vector<NamedTensor> tensors;
  model.visit_parameters([&](Parameter& p) {
    tensors.push_back({p.name, p.var.value().to(dtype)});
  });
  std::optional<QuantSpec> spec;
  json dense = json::array();
  model.visit_linears([&](Linear& linear) {
    const auto* w = dynamic_cast<QuantizedWeight*>(&linear.weight());
    if (!w) {
      dense.push_back(linear.name());
      return;
    }
    spec = w->quantized().spec;
    append_quantized(tensors, w->name(), w->quantized());
  });
  require(spec.has_value(), "{}: no layer of the model is quantized", folder.string());
  json out = config.json();
  out["architectures"] = {model.info().architecture};
  out["torch_dtype"] = torch_name(dtype);
  if (spec->type == "nf4" || spec->type == "fp4") {
    if (dense.empty()) dense.push_back("lm_head");  // tied: transformers keeps it as it is
    out["quantization_config"] = {{"quant_method", "bitsandbytes"},
                                  {"load_in_4bit", true},
                                  {"load_in_8bit", false},
                                  {"_load_in_4bit", true},
                                  {"_load_in_8bit", false},
                                  {"bnb_4bit_compute_dtype", torch_name(dtype)},
                                  {"bnb_4bit_quant_storage", "uint8"},
                                  {"bnb_4bit_quant_type", spec->type},
                                  {"bnb_4bit_use_double_quant", spec->double_quant},
                                  {"llm_int8_enable_fp32_cpu_offload", false},
                                  {"llm_int8_has_fp16_weight", false},
                                  {"llm_int8_skip_modules", dense},
                                  {"llm_int8_threshold", 6.0}};
  } else {
    out["quantization_config"] = {{"quant_method", "lorikeet"},
                                  {"quant_type", spec->type},
                                  {"block_size", spec->block_size},
                                  {"double_quant", spec->double_quant}};
  }
  std::filesystem::create_directories(folder);
  save_safetensors(folder / "model.safetensors", tensors);
  write_file_atomically(folder / "config.json", out.dump(2) + "\n");
}

}  // namespace lk
