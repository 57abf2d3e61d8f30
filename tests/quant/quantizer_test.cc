// Loading: dense folders quantized on the way, quantized folders as they are, and broken ones.
#include "quant/quantizer.h"

#include <nlohmann/json.hpp>

#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk::test {
namespace {

constexpr const char* kLlama =
    R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"num_hidden_layers":3,"hidden_size":256,
        "num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":512,"vocab_size":64,
        "max_position_embeddings":64,"tie_word_embeddings":false,"rms_norm_eps":1e-6})";

Config write_llama(const std::filesystem::path& folder, DType dtype = DType::bf16) {
  const Config config = Config::parse(kLlama, "config.json");
  const auto model = make_model(config, Task::causal_lm, DType::f32, 1);
  save_model(*model, config, folder, dtype);
  return Config::load(folder);
}

std::unique_ptr<Model> load(const std::filesystem::path& folder, const Quantizer& quantizer,
                            DType compute = DType::f32) {
  return load_model(folder, {.compute = compute, .weights = &quantizer}).model;
}

Tensor logits(Model& model) {
  const NoGrad no_grad;
  const Packed batch = pack({{3, 1, 4, 1, 5}, {9, 2, 6}});
  ModelInput in = batch.input();
  return model.lm_logits(model.hidden(in)).value();
}

// One tensor of a folder's file changed, or left out where `change` gives an undefined one.
void edit(const std::filesystem::path& from, const std::filesystem::path& to,
          const std::string& name, const std::function<Tensor(Tensor)>& change) {
  std::filesystem::create_directories(to);
  std::filesystem::copy_file(from / "config.json", to / "config.json",
                             std::filesystem::copy_options::overwrite_existing);
  const WeightFiles files = WeightFiles::open(from);
  std::vector<NamedTensor> tensors;
  for (const std::string& n : files.names()) {
    const Tensor t = n == name ? change(files.get(n)) : files.get(n);
    if (t.defined()) tensors.push_back({n, t});
  }
  save_safetensors(to / "model.safetensors", tensors);
}

Tensor text(const std::string& s) { return Tensor::from(std::vector<uint8_t>(s.begin(), s.end())); }

const std::string kWeight = "model.layers.1.self_attn.k_proj.weight";

}  // namespace

TEST_CASE(
    "quantizer: layers are quantized while a folder is loaded; the head, norms and tables are "
    "not") {
  const TempDir folder;
  write_llama(folder / "base");
  QuantError error;
  const auto model = load(folder / "base", Quantizer(QuantSpec{"nf4", 64, true}, false, &error));
  int64_t quantized = 0, dense = 0;
  model->visit_linears([&](Linear& l) {
    const auto* q = dynamic_cast<QuantizedWeight*>(&l.weight());
    (q ? quantized : dense) += 1;
    if (!q) CHECK(l.role() == Role::head);
  });
  CHECK(quantized == 21);
  CHECK(dense == 1);
  CHECK(error.layers == 21);
  CHECK(error.mean > 0.05);
  CHECK(error.worst < 0.2);
  CHECK(quantized_numel(*model) == 3 * 256 * (256 + 2 * 128 + 256 + 3 * 512));
  model->visit_parameters([&](const Parameter& p) { CHECK(p.defined()); });

  // The same values as those of the dense weights, quantized and restored.
  const auto same = load(folder / "base", Quantizer(QuantSpec{"nf4", 64, true}));
  CHECK(dequantize_linears(*same, DType::f32) == 21);
  const Tensor a = logits(*model), b = logits(*same);
  for (int64_t i = 0; i < a.numel(); ++i) CHECK(std::abs(a.item(i) - b.item(i)) <= 1e-4);
}

TEST_CASE("quantizer: the peak while loading is at most 0.35 of the bf16 model") {
  const TempDir folder;
  write_llama(folder / "base");
  const auto bytes =
      static_cast<double>(std::filesystem::file_size(folder / "base/model.safetensors"));
  release_cached_memory();
  reset_memory_peak();
  const int64_t before = memory_stats().total_live;
  const auto model = load(folder / "base", Quantizer(QuantSpec{"nf4", 64, false}), DType::bf16);
  CHECK(static_cast<double>(memory_stats().total_peak - before) <= 0.35 * bytes);
}

TEST_CASE("quantizer: a quantized folder is read as it was written, in every type") {
  const TempDir folder;
  const Config config = write_llama(folder / "base");
  for (const std::string& type : quant_types())
    for (const bool twice : {false, true}) {
      CAPTURE(type);
      const QuantSpec spec{type, 64, twice};
      const auto model = load(folder / "base", Quantizer(spec));
      save_quantized_model(*model, config, folder / "quantized", DType::f32);
      const Config stored = Config::load(folder / "quantized");
      CHECK(stored_spec(stored) == spec);
      const LoadedModel again = load_model(
          folder / "quantized", {.weights = std::make_unique<Quantizer>(std::nullopt).get()});
      CHECK(again.unused.empty());
      CHECK(same_bits(logits(*model), logits(*again.model)));
    }
  CHECK(error_of([&] {
          load(folder / "quantized", Quantizer(QuantSpec{"nf4", 64, true}));
        }).find("quantized already (int8, blocks of 64, double)") != std::string::npos);
  // Without a factory it is an error, not garbage.
  CHECK(error_of([&] { load_model(folder / "quantized", {}); }).find("quantization_config") !=
        std::string::npos);
}

TEST_CASE("quantizer: GPT-2 keeps its matrices transposed") {
  const auto dense = tiny_model("gpt2", DType::f32), quantized = tiny_model("gpt2", DType::f32);
  const Quantizer quantizer(QuantSpec{"int8", 32, false});
  quantized->visit_linears([&](Linear& l) {
    if (!quantizer.wants(l)) return;
    const auto& w = dynamic_cast<DenseWeight&>(l.weight());
    const Tensor before = w.dense(DType::f32);
    l.set_weight(quantizer.make(l, l.name() + ".weight", w.parameter().var.value(), w.in_out()));
    const Tensor after = l.weight().dense(DType::f32);
    REQUIRE(after.shape() == before.shape());
    for (int64_t i = 0; i < after.numel(); ++i)
      CHECK(std::abs(after.item(i) - before.item(i)) <= 0.005 * 4);
  });
  dequantize_linears(*quantized, DType::f32);
  std::vector<std::pair<std::string, Shape>> a, b;
  dense->visit_parameters([&](Parameter& p) { a.emplace_back(p.name, p.var.shape()); });
  quantized->visit_parameters([&](Parameter& p) { b.emplace_back(p.name, p.var.shape()); });
  CHECK(a == b);
}

TEST_CASE("quantizer: NaN and infinity in a weight are an error that names it") {
  const TempDir folder;
  write_llama(folder / "base", DType::f32);
  edit(folder / "base", folder / "broken", kWeight, [](const Tensor& t) {
    Tensor broken = t.clone();
    broken.data<float>()[256 * 3 + 7] = std::numeric_limits<float>::quiet_NaN();
    return broken;
  });
  const std::string e = error_of([&] { load(folder / "broken", Quantizer(QuantSpec{})); });
  CHECK(e.find(kWeight) != std::string::npos);
  CHECK(e.find("row 3") != std::string::npos);
}

TEST_CASE("quantizer: quantized tensors whose state is missing or does not fit") {
  const TempDir folder;
  const Config config = write_llama(folder / "base");
  const auto model = load(folder / "base", Quantizer(QuantSpec{"nf4", 64, true}));
  save_quantized_model(*model, config, folder / "good", DType::f32);
  const std::string state = kWeight + ".quant_state.bitsandbytes__nf4";
  const auto broken = [&](const std::string& name, const std::function<Tensor(Tensor)>& change) {
    edit(folder / "good", folder / "broken", name, change);
    return error_of([&] { load(folder / "broken", Quantizer(std::nullopt)); });
  };
  const auto gone = [](const Tensor&) { return Tensor(); };
  for (const std::string part : {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"}) {
    CAPTURE(part);
    CHECK(broken(kWeight + part, gone).find("'" + kWeight + part + "' is missing") !=
          std::string::npos);
  }
  CHECK(broken(state, gone).find("quant_state.bitsandbytes__TYPE' is missing") !=
        std::string::npos);
  CHECK(broken(kWeight, [](const Tensor& t) {
          return t.rows(0, t.dim(0) - 1);
        }).find("expected u8 with 16384") != std::string::npos);
  CHECK(broken(kWeight + ".absmax", [](const Tensor& t) {
          return t.rows(0, 5);
        }).find("has 5 values") == std::string::npos);
  CHECK(broken(kWeight + ".quant_map", [](const Tensor& t) {
          Tensor changed = t.clone();
          changed.data<float>()[3] = 0.5f;
          return changed;
        }).find("at code 3") != std::string::npos);
  const auto with = [&](const std::string& key, const nlohmann::json& value) {
    return broken(state, [&](const Tensor& t) {
      auto json = nlohmann::json::parse(t.span<uint8_t>().begin(), t.span<uint8_t>().end());
      if (value.is_null())
        json.erase(key);
      else
        json[key] = value;
      return text(json.dump());
    });
  };
  CHECK(with("blocksize", 48).find("the block size is 48") != std::string::npos);
  CHECK(with("blocksize", nullptr).find("no integer 'blocksize'") != std::string::npos);
  CHECK(with("quant_type", "nf5").find("says quant_type \"nf5\"") != std::string::npos);
  CHECK(with("shape", {256, 128}).find("says shape [256,128]") != std::string::npos);
  CHECK(with("dtype", "complex64").find("complex64") != std::string::npos);
  CHECK(with("nested_offset", nullptr).find("no number 'nested_offset'") != std::string::npos);
  CHECK(with("nested_blocksize", 128).find("nested blocks of 128") != std::string::npos);
  CHECK(broken(state, [](const Tensor&) { return text("{"); }).find("not a JSON object") !=
        std::string::npos);
}

TEST_CASE("quantizer: quantization_config") {
  const auto spec = [](const std::string& q) {
    return stored_spec(
        Config::parse(R"({"model_type":"llama","quantization_config":)" + q + "}", "here"));
  };
  CHECK(!stored_spec(Config::parse(kLlama, "here")));
  CHECK(
      spec(R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"})") ==
      QuantSpec{"nf4", 64, false});
  CHECK(error_of([&] { spec(R"({"quant_method":"gptq"})"); }).find("'gptq'") != std::string::npos);
  CHECK(error_of([&] { spec(R"({"load_in_8bit":true})"); }).find("4-bit") != std::string::npos);
  CHECK(error_of([&] { spec("7"); }).find("expected an object") != std::string::npos);
}

}  // namespace lk::test
