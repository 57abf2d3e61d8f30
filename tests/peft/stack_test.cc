// Adapters on top of others (AdapterHub's Stack): the reference's numbers, and what stays frozen.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "engine/files/json.h"
#include "nn/generate.h"
#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

const std::filesystem::path kVectors = "tests/vectors";

TEST_CASE("stack: AdapterHub's logits, from the folders that it wrote") {
  for (const nlohmann::json& c : read_json(kVectors / "stack/cases.json")) {
    CAPTURE(c.dump());
    const std::filesystem::path base = kVectors / c["base"].get<std::string>();
    LoadOptions load;
    load.task = task_of(Config::load(base));
    const LoadedModel loaded = load_model(base, load);
    const auto vectors = SafetensorsFile::open(kVectors / c["vectors"].get<std::string>());
    const test::OracleBatch batch = test::read_batch(*vectors, "in.", loaded.model->info());
    std::vector<std::string> lower;
    for (const auto& folder : c["adapters"])
      lower.push_back((kVectors / folder.get<std::string>()).string());
    const std::string top = lower.back();
    lower.pop_back();
    AdapterConfig config = read_adapter_config(top);
    stack_on(config.settings, lower);
    const auto method = load_adapter(top, config, *loaded.model);
    CHECK(method->below.size() == lower.size());
    const NoGrad no_grad;
    CHECK(test::logits_error(test::logits_of(*loaded.model, batch), vectors->get("out.logits"),
                             batch) <= 2e-4);
  }
}

struct Kind {
  const char *method, *settings;
};
const Kind kLora{"lora", R"({"r": 2, "target_modules": "all-linear"})"},
    kIa3{"ia3", R"({"target_modules": "all-linear", "feedforward_modules": ["down"]})"},
    kPrefix{"prefix", R"({"num_virtual_tokens": 3})"},
    kPrompt{"prompt", R"({"num_virtual_tokens": 2})"},
    kPfeiffer{"pfeiffer", R"({"reduction_factor": 4})"},
    kUnipelt{"unipelt",
             R"({"prefix_length": 2, "bottleneck_size": 3, "reduction_factor": 4, "r": 2})"};

void save(const std::string& type, const Kind& kind, uint64_t seed,
          const std::filesystem::path& folder, const std::vector<std::string>& lower = {}) {
  test::write_adapter(folder, type, kind.method, kind.settings, seed, lower);
}

std::unique_ptr<Method> open(const std::filesystem::path& folder, Model& model) {
  return load_adapter(folder, read_adapter_config(folder), model);
}

// `upper` on `lower`, from their folders.
struct Stacked {
  test::TempDir dir;
  std::unique_ptr<Model> model;
  std::unique_ptr<Method> method;
  Stacked(const std::string& type, const Kind& lower, const Kind& upper)
      : model(test::tiny_model(type, DType::f32)) {
    save(type, lower, 1, dir / "lower");
    save(type, upper, 50, dir / "upper", {(dir / "lower").string()});
    method = open(dir / "upper", *model);
  }
};

TEST_CASE(
    "stack: training changes the upper adapter alone, and its folder brings the lower along") {
  for (const std::string type : {"gpt2", "llama", "bert", "t5"})
    for (const auto& two : {std::pair{kPfeiffer, kLora},
                            {kPrefix, kPrefix},
                            {kPrompt, kPfeiffer},
                            {kLora, kIa3},
                            {kPrefix, kUnipelt}}) {
      const Kind &lower = two.first, &upper = two.second;
      CAPTURE(type);
      CAPTURE(lower.method);
      CAPTURE(upper.method);
      const Stacked stacked(type, lower, upper);
      const auto& [dir, model, method] = stacked;
      REQUIRE(method->below.size() == 1);
      std::vector<Tensor> before;
      method->below[0]->visit([&](Parameter& p) { before.push_back(p.var.value().clone()); });
      const test::Packed batch = test::pack(test::random_documents({5, 7, 3}, 2));
      const Tensor untrained = test::hidden_of(*model, batch);
      const auto parameters = select_parameters(*model, *method);
      const auto optimizer = make_optimizer({}, parameter_groups(parameters, *method, 0.01));
      for (int i = 0; i < 3; ++i) {
        backward(test::loss_of(*model, batch));
        optimizer->step(1e-2);
        optimizer->zero_grad();
      }
      size_t i = 0;
      method->below[0]->visit(
          [&](Parameter& p) { CHECK(test::same_bits(p.var.value(), before[i++])); });
      const Tensor trained = test::hidden_of(*model, batch);
      CHECK(test::max_difference(trained, untrained) > 1e-3);
      save_adapter(dir / "again", *model, *method, find_method(upper.method), "", {"a", "b", "c"});
      const auto other = test::tiny_model(type, DType::f32);
      const auto read = open(dir / "again", *other);
      CHECK(test::same_bits(test::hidden_of(*other, batch), trained));
      // Without the lower one it is another model.
      const auto bare = test::tiny_model(type, DType::f32);
      AdapterConfig alone = read_adapter_config(dir / "again");
      stack_on(alone.settings, {});
      const auto upper_alone = load_adapter(dir / "again", alone, *bare);
      CHECK(test::max_difference(test::hidden_of(*bare, batch), trained) > 1e-3);
    }
}

TEST_CASE("stack: two that merge give the same merged") {
  for (const std::string type : {"gpt2", "llama", "bert", "t5"})
    for (const auto& two : {std::pair{kLora, kLora}, {kLora, kIa3}, {kIa3, kLora}}) {
      const Kind &lower = two.first, &upper = two.second;
      CAPTURE(type);
      CAPTURE(lower.method);
      CAPTURE(upper.method);
      const Stacked stacked(type, lower, upper);
      const auto& [dir, model, method] = stacked;
      const test::Packed batch = test::pack(test::random_documents({5, 7, 3}, 2));
      const Tensor before = test::hidden_of(*model, batch);
      merge_stack(*model, *method);
      model->visit_linears([](Linear& linear) { CHECK(linear.adapters().empty()); });
      // T5's attention does not divide its logits by sqrt(head_dim): its softmax passes on rounding
      // fivefold (1.6e-5 to 2.3e-5 seen, by the compiler's options; the others up to 4e-6).
      const double tolerance = type == "t5" ? 1e-4 : 2e-5;
      CHECK(test::max_difference(test::hidden_of(*model, batch), before) <=
            tolerance * test::max_magnitude(before));
    }
}

TEST_CASE("stack: prefixes of two adapters, one of them each document's own") {
  const Stacked stacked("llama", kUnipelt, kPrefix);
  const auto& model = stacked.model;
  const test::Documents documents = test::random_documents({5, 2, 7}, 6);
  Packing moved;
  const Tensor together = test::hidden_of(*model, test::pack(documents), &moved);
  for (size_t i = 0; i < documents.size(); ++i) {
    const Tensor alone = test::hidden_of(*model, test::pack({documents[i]}));
    CHECK(test::max_difference(together.rows(moved.offsets[i], moved.offsets[i + 1]).clone(),
                               alone) <= 1e-5 * test::max_magnitude(alone));
  }
}

TEST_CASE("stack: a cache keeps the prefixes of both") {
  for (const std::string type : {"gpt2", "llama", "t5"}) {
    CAPTURE(type);
    const Stacked stacked(type, kPrefix, kPrefix);
    const auto& model = stacked.model;
    const test::Documents prompts = test::random_documents({5, 2, 7}, 6);
    GenerateOptions options;
    options.max_new_tokens = 6;
    CHECK(generate(*model, prompts, options) == test::greedy_ids(*model, prompts, 6));
  }
}

TEST_CASE("stack: what cannot be is an error that names the file") {
  const test::TempDir dir;
  save("gpt2", kLora, 1, dir / "lower");
  const auto fails = [&](const nlohmann::json& below) {
    AdapterConfig config = read_adapter_config(dir / "lower");
    config.settings.set("lorikeet", {{"stacked_on", below}});
    const auto model = test::tiny_model("gpt2", DType::f32);
    return test::error_of([&] { load_adapter(dir / "lower", config, *model); });
  };
  CHECK(fails("a").find("expected a list of adapter folders") != std::string::npos);
  CHECK(fails({1}).find("expected a list of adapter folders") != std::string::npos);
  CHECK(fails({(dir / "nowhere").string()}).find("nowhere") != std::string::npos);
  save("gpt2", kLora, 1, dir / "round", {(dir / "lower").string()});
  std::filesystem::remove_all(dir / "lower");
  std::filesystem::copy(dir / "round", dir / "lower");
  const auto model = test::tiny_model("gpt2", DType::f32);
  const std::string round = test::error_of([&] { open(dir / "lower", *model); });
  CHECK(round.find("does one lie below itself?") != std::string::npos);
}

}  // namespace
}  // namespace lk
