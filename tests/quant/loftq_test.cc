// LoRA's LoftQ start on a quantized base: HF PEFT's numbers, and what a model gains by it.
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "engine/gemm.h"
#include "peft/adapter_files.h"
#include "quant/bnb_files.h"
#include "quant/quantized_weight.h"
#include "quant/quantizer.h"
#include "tests/support.h"
#include "tests/tools/tool_run.h"

namespace lk::test {
namespace {

Settings loftq_settings(int64_t rank, double alpha, const nlohmann::json& config) {
  nlohmann::json values = nlohmann::json::object();
  for (const MethodOption& o : find_method("qlora").options)
    values[o.key] = nlohmann::json::parse(o.value);
  values["r"] = rank;
  values["lora_alpha"] = alpha;
  values["init_lora_weights"] = "loftq";
  values["loftq_config"] = config;
  return {values, "test"};
}

LoadedModel open(const std::filesystem::path& folder, const QuantSpec& spec = {"nf4", 64, false}) {
  const Quantizer quantizer(spec);
  LoadOptions o;
  o.weights = &quantizer;
  return load_model(folder, o);
}

// The first [16, 64] layer of a model that holds `values` there.
struct OneMatrix {
  TempDir dir;
  LoadedModel loaded;
  Linear* layer = nullptr;
  explicit OneMatrix(const std::vector<float>& values) : loaded(make(dir.path(), values)) {
    loaded.model->visit_linears([&](Linear& l) {
      if (l.role() == Role::k) layer = &l;
    });
  }
  static LoadedModel make(const std::filesystem::path& folder, const std::vector<float>& values) {
    const Config config = Config::parse(
        R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64,
            "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 1,
            "intermediate_size": 64, "vocab_size": 32})",
        "one");
    auto model = make_model(config, Task::causal_lm, DType::f32, 1);
    model->visit_linears([&](Linear& l) {
      if (l.role() == Role::k) l.weight().assign(Tensor::from(values, {16, 64}));
    });
    save_model(*model, config, folder, DType::f32);
    return open(folder);
  }
};

// s B A of the layer's adapter.
Tensor product(Method& method, double scale) {
  Tensor a, b;
  method.visit([&](Parameter& p) { (p.name.ends_with("lora_A.weight") ? a : b) = p.var.value(); });
  const Tensor out = Tensor::empty({b.dim(0), a.dim(1)}, DType::f32);
  gemm(out, b, a, {.alpha = static_cast<float>(scale)});
  return out;
}

double norm_of_rest(const Tensor& w, const Tensor& q, const Tensor* product) {
  double total = 0;
  for (int64_t i = 0; i < w.numel(); ++i) {
    const double d = w.item(i) - q.item(i) - (product ? product->item(i) : 0.0);
    total += d * d;
  }
  return std::sqrt(total);
}

Tensor logits(Model& model) {
  const NoGrad no_grad;
  const std::vector<int32_t> ids{5, 9, 200, 31, 7, 77, 400, 2};
  ModelInput in{ids, {{0, 1, 2, 3, 4, 5, 6, 7}, {}, {}, {0, 8}}};
  return model.lm_logits(model.hidden(in)).value();
}

double distance(const Tensor& a, const Tensor& b) { return norm_of_rest(a, b, nullptr); }

}  // namespace

TEST_CASE("loftq: the numbers of HF PEFT and bitsandbytes") {
  const nlohmann::json vectors = read_json("tests/quant/vectors/loftq.json");
  const auto weight = vectors["weight"].get<std::vector<float>>();
  const Tensor w = Tensor::from(weight, {16, 64});
  const auto rank = vectors["rank"].get<int64_t>();
  double last = 1e9;
  for (const auto& expected : vectors["cases"])
    for (const double alpha : {4.0, 1.0}) {  // s = 1, as PEFT has it, and 1/4
      CAPTURE(alpha);
      OneMatrix one(weight);
      Settings settings =
          loftq_settings(rank, alpha, {{"loftq_bits", 4}, {"loftq_iter", expected["iterations"]}});
      settings.set("target_modules", {"k_proj"});
      const auto method = find_method("qlora").make(settings);
      method->attach(*one.loaded.model, 1);
      const Tensor q = one.layer->weight().dense(DType::f32);
      const Tensor ba = product(*method, alpha / static_cast<double>(rank));
      for (int64_t i = 0; i < w.numel(); ++i) {
        const auto at = static_cast<size_t>(i);
        CHECK(std::abs(q.item(i) - expected["quantized"][at].get<double>()) <= 1e-6);
        CHECK(std::abs(ba.item(i) - expected["product"][at].get<double>()) <= 1e-5);
      }
      const double error = norm_of_rest(w, q, &ba);
      CHECK(std::abs(error - expected["error"].get<double>()) <= 1e-4);
      CHECK(error < 0.9 * expected["error_without"].get<double>());
      CHECK(error <= last + 1e-5);  // more iterations, no larger error
      last = error;
    }
}

TEST_CASE("loftq: a model starts nearer to its dense base; off, it is the quantized one") {
  const TempDir dir;
  make_llama_folder(dir);
  const Tensor dense = logits(*load_model(dir / "model", {}).model),
               plain = logits(*open(dir / "model", {"int4", 64, false}).model);
  for (const int64_t iterations : {1, 5}) {
    CAPTURE(iterations);
    LoadedModel loaded = open(dir / "model", {"int4", 64, false});
    const auto method =
        find_method("lora").make(loftq_settings(6, 16, {{"loftq_iter", iterations}}));
    method->attach(*loaded.model, 0);
    select_parameters(*loaded.model, *method);
    const Tensor started = logits(*loaded.model);
    CHECK(distance(dense, started) < 0.8 * distance(dense, plain));
    method->set_enabled(*loaded.model, false);
    const Tensor off = logits(*loaded.model);
    for (int64_t i = 0; i < off.numel(); ++i) CHECK(off.item(i) == plain.item(i));
    method->set_enabled(*loaded.model, true);

    // Files: with one iteration the base is what quantizing gives, so they are plain LoRA's.
    save_adapter(dir / "adapter", *loaded.model, *method, find_method("lora"), "base", {});
    const AdapterConfig config = read_adapter_config(dir / "adapter");
    CHECK(config.settings.is_text("init_lora_weights") == (iterations > 1));
    LoadedModel again = open(dir / "model", {"int4", 64, false});
    const auto read = load_adapter(dir / "adapter", config, *again.model);
    const Tensor same = logits(*again.model);
    for (int64_t i = 0; i < same.numel(); ++i) CHECK(same.item(i) == started.item(i));
  }
}

TEST_CASE("loftq: what it cannot start from is named") {
  const TempDir dir;
  make_llama_folder(dir);
  const auto refused = [&](Model& model, const nlohmann::json& config) {
    return error_of(
        [&] { find_method("lora").make(loftq_settings(2, 4, config))->attach(model, 0); });
  };
  const auto has = [](const std::string& message, const std::string& words) {
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  has(refused(*load_model(dir / "model", {}).model, {}), "is not quantized; pass --quant nf4");
  LoadedModel quantized = open(dir / "model");
  has(refused(*quantized.model, {{"loftq_bits", 8}}), "loftq_bits is 8");
  has(refused(*quantized.model, {{"loftq_iter", 0}}), "'loftq_iter' is 0");
  has(refused(*quantized.model, {{"loftq_iters", 1}}), "'loftq_iters' is not known");
  has(refused(*quantized.model, {1}), "expected an object");
  save_quantized_model(*quantized.model, quantized.config, dir / "stored", DType::f32);
  const Quantizer as_stored(std::nullopt);
  LoadOptions o;
  o.weights = &as_stored;
  has(refused(*load_model(dir / "stored", o).model, {}), "start from the dense folder");
}

}  // namespace lk::test
