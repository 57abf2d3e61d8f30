// Adapters that HF PEFT wrote: logits, loss, every gradient, the merged weights, and the files we
// write.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/gemm.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/support.h"

namespace lk {
namespace {

constexpr double kLogits = 2e-4, kLoss = 1e-5, kGradient = 2e-3;

struct Case {
  std::filesystem::path folder, base;
  std::shared_ptr<const SafetensorsFile> vectors;
  test::OracleBatch batch;
  LoadedModel loaded;
  AdapterConfig config;
  std::unique_ptr<Method> method;
};

Case open_case(const std::string& name, const std::string& base) {
  const std::filesystem::path root = "tests/oracle/peft";
  const auto vectors = SafetensorsFile::open(root / name / "vectors.safetensors");
  test::OracleBatch batch = test::read_batch(*vectors, "in.");
  LoadOptions options;
  options.task = batch.class_labels.empty() ? Task::causal_lm : Task::classification;
  Case c{root / name,
         root / base,
         vectors,
         std::move(batch),
         load_model(root / base, options),
         read_adapter_config(root / name),
         nullptr};
  c.method = load_adapter(c.folder, c.config, *c.loaded.model);
  return c;
}

Tensor logits_of(Case& c) {
  const NoGrad no_grad;
  ModelInput in = c.batch.input();
  const Var h = c.loaded.model->hidden(in);
  return (c.batch.class_labels.empty() ? c.loaded.model->lm_logits(h)
                                       : c.loaded.model->class_logits(h, in.packing))
      .value();
}

// The reference's in-memory name of a trained weight: "lora_A.weight" -> "lora_A.default.weight".
std::string in_memory(std::string name, const std::vector<std::string>& heads) {
  const auto insert = [&](const std::string& after, const std::string& text) {
    const size_t at = name.find(after);
    if (at != std::string::npos) name.insert(at + after.size(), text);
  };
  insert(".lora_A", ".default");
  insert(".lora_B", ".default");
  for (const std::string& head : heads) insert("model." + head, ".modules_to_save.default");
  return name;
}

void check_case(const std::string& name, const std::string& base) {
  CAPTURE(name);
  Case c = open_case(name, base);
  Model& model = *c.loaded.model;
  const Tensor logits = logits_of(c), expected = c.vectors->get("out.logits");
  const int64_t width = logits.dim(1);
  double most = 0;
  for (int64_t i = 0; i < logits.dim(0); ++i) {
    const int64_t row = c.batch.class_labels.empty()
                            ? static_cast<int64_t>(c.batch.places[static_cast<size_t>(i)])
                            : i;
    for (int64_t j = 0; j < width; ++j) {
      const double d = std::abs(logits.item(i * width + j) - expected.item(row * width + j));
      if (!(d <= most)) most = std::isnan(d) ? 1e9 : d;
    }
  }
  CHECK(most <= kLogits);

  const auto trained = select_parameters(model, *c.method);
  const Var loss = test::mean_loss(model, c.batch);
  CHECK(std::abs(loss.value().item() - c.vectors->get("out.loss").item()) <= kLoss);
  backward(loss);
  for (Parameter* p : trained) {
    const bool own = p->name.rfind("base_model.", 0) == 0;
    const std::string key =
        "grad." + in_memory(own ? p->name : c.method->file_name(p->name), model.head_modules());
    CAPTURE(key);
    REQUIRE(c.vectors->has(key));
    REQUIRE(p->var.grad().defined());
    const Tensor g = c.vectors->get(key);
    // A key bias moves all scores of a query alike: its gradient is 0 but for rounding.
    const double floor = key.find("key.bias") != std::string::npos ? 1e-8 : 0.0;
    CHECK(test::max_difference(p->var.grad(), g) <= kGradient * test::max_magnitude(g) + floor);
  }

  // What we write is what we read.
  const test::TempDir dir;
  save_adapter(dir.path(), model, *c.method, *c.config.info, "", {});
  const auto ours = SafetensorsFile::open(dir / "adapter_model.safetensors"),
             theirs = SafetensorsFile::open(c.folder / "adapter_model.safetensors");
  for (const std::string& tensor : theirs->names()) {
    // HF PEFT writes copies of a head's bias beside it.
    if (tensor.find(".modules_to_save.") != std::string::npos ||
        tensor.find(".original_module.") != std::string::npos)
      continue;
    REQUIRE(ours->has(tensor));
    CHECK(test::max_difference(ours->get(tensor), theirs->get(tensor)) == 0);
  }
  CHECK(ours->names().size() <= theirs->names().size());

  if (!std::filesystem::exists(c.folder / "merged.safetensors")) return;
  c.method->merge(model);
  const auto merged = SafetensorsFile::open(c.folder / "merged.safetensors");
  size_t compared = 0;
  model.visit_parameters([&](Parameter& p) {
    if (!merged->has(p.name)) return;
    ++compared;
    CHECK(test::max_difference(p.var.value(), merged->get(p.name)) <= 1e-6);
  });
  CHECK(compared == merged->names().size());
  CHECK(test::max_difference(logits_of(c), logits) <= 1e-5);
}

TEST_CASE("lora: q and v of gpt2") { check_case("lora-qv-gpt2", "base-gpt2"); }
TEST_CASE("lora: q and v of llama") { check_case("lora-qv-llama", "base-llama"); }
TEST_CASE("lora: q, v and the head of bert") { check_case("lora-qv-bert", "base-bert"); }
TEST_CASE("lora: all layers, rank-stabilised, biases of gpt2") {
  check_case("lora-all-rslora-bias-gpt2", "base-gpt2");
}
TEST_CASE("lora: all layers, rank-stabilised of llama") {
  check_case("lora-all-rslora-bias-llama", "base-llama");
}
TEST_CASE("lora: all biases of bert") { check_case("lora-bias-all-bert", "base-bert"); }

Settings lora_settings(const char* targets) {
  Settings s = read_adapter_config("tests/oracle/peft/lora-qv-llama").settings;
  s.set("target_modules", targets);
  return s;
}

TEST_CASE("lora: a new adapter changes no bit of the base's result") {
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const auto vectors = SafetensorsFile::open("tests/oracle/peft/lora-qv-llama/vectors.safetensors");
  const test::OracleBatch batch = test::read_batch(*vectors, "in.");
  const double before = test::mean_loss(*base.model, batch).value().item();
  const auto method = find_method("lora").make(lora_settings("all-linear"));
  method->attach(*base.model, 3);
  select_parameters(*base.model, *method);
  CHECK(test::mean_loss(*base.model, batch).value().item() == before);
  int64_t count = 0;
  method->visit([&](Parameter& p) { count += p.shape.numel(); });
  int64_t expected = 0;
  base.model->visit_linears([&](Linear& l) {
    if (l.role() != Role::head) expected += 4 * (l.in_features() + l.out_features());
  });
  CHECK(count == expected);
}

TEST_CASE("lora: targets that match nothing list the near names") {
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const auto method = find_method("lora").make(lora_settings("q_prj"));
  const std::string message = test::error_of([&] { method->attach(*base.model, 0); });
  CHECK(message.find("'q_prj' matches no linear layer") != std::string::npos);
  CHECK(message.find("q_proj") < message.find("down_proj"));
}

TEST_CASE("lora: an adapter of another shape or model is refused by name") {
  LoadedModel gpt2 = load_model("tests/oracle/peft/base-gpt2", {});
  const std::filesystem::path llama = "tests/oracle/peft/lora-qv-llama";
  const std::string wrong =
      test::error_of([&] { load_adapter(llama, read_adapter_config(llama), *gpt2.model); });
  CHECK(wrong.find("matches no linear layer") != std::string::npos);
  AdapterConfig other = read_adapter_config(llama);
  other.settings.set("r", 5);
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const std::string shape = test::error_of([&] { load_adapter(llama, other, *base.model); });
  CHECK(shape.find("lora_A.weight' is [4, 32]") != std::string::npos);
  CHECK(shape.find("[5, 32]") != std::string::npos);
}

TEST_CASE("bitfit selects biases, full everything") {
  LoadedModel base = load_model("tests/oracle/peft/base-gpt2", {});
  const Settings none = read_adapter_config("tests/oracle/peft/lora-qv-gpt2").settings;
  const auto bitfit = find_method("bitfit").make(none);
  size_t all = 0;
  base.model->visit_parameters([&](Parameter&) { ++all; });
  const auto biases = select_parameters(*base.model, *bitfit);
  for (const Parameter* p : biases) CHECK(p->name.substr(p->name.size() - 5) == ".bias");
  CHECK(biases.size() > 4);
  CHECK(select_parameters(*base.model, *find_method("full").make(none)).size() == all);
}

}  // namespace
}  // namespace lk
