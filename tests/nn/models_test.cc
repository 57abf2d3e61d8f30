// Every architecture against transformers: logits, loss and the gradient of every parameter.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "tests/oracle.h"

namespace lk {
namespace {

// Tolerances of the reference: f32 on another library sums in another order.
constexpr double kLogits = 2e-4, kLoss = 1e-5, kGradient = 2e-3;

void check_case(const std::string& name) {
  CAPTURE(name);
  const std::filesystem::path folder = "tests/vectors/models/" + name;
  const auto vectors = SafetensorsFile::open(folder / "vectors.safetensors");
  const LoadedModel loaded = load_model(folder, {.task = task_of(Config::load(folder))});
  Model& model = *loaded.model;
  const test::OracleBatch batch = test::read_batch(*vectors, "in.", model.info());
  CHECK(loaded.initialised.empty());
  CHECK(loaded.unused.empty());
  CHECK(test::logits_error(test::logits_of(model, batch), vectors->get("out.logits"), batch) <=
        kLogits);
  for (const bool checkpointing : {false, true}) {
    CAPTURE(checkpointing);
    model.gradient_checkpointing = checkpointing;
    model.visit_parameters([](Parameter& p) {
      p.make_trainable();
      p.var.set_grad({});
    });
    const Var loss = test::mean_loss(model, batch);
    CHECK(std::abs(loss.value().item() - vectors->get("out.loss").item()) <= kLoss);
    backward(loss);
    int compared = 0;
    model.visit_parameters([&](Parameter& p) {
      CAPTURE(p.name);
      const Tensor expected = vectors->get("grad." + p.name);
      REQUIRE(p.var.grad().defined());
      // A key bias moves all scores of a query alike: its gradient is 0 but for rounding.
      const double floor = p.name.find("key.bias") != std::string::npos ? 1e-8 : 0.0;
      CHECK(test::max_difference(p.var.grad(), expected) <=
            kGradient * test::max_magnitude(expected) + floor);
      ++compared;
    });
    CHECK(compared > 10);
  }
}

TEST_CASE("models: gpt2") { check_case("gpt2"); }
TEST_CASE("models: gpt2 with exact gelu and an output matrix of its own") {
  check_case("gpt2-exact-gelu-untied");
}
TEST_CASE("models: gpt2 classifier") { check_case("gpt2-classification"); }
TEST_CASE("models: llama with grouped queries") { check_case("llama-gqa"); }
TEST_CASE("models: llama tied, with biases") { check_case("llama-tied-bias"); }
TEST_CASE("models: llama 3 rope scaling") { check_case("llama3-rope-scaling"); }
TEST_CASE("models: llama linear rope scaling") { check_case("llama-rope-linear"); }
TEST_CASE("models: llama classifier") { check_case("llama-classification"); }
TEST_CASE("models: qwen3, which normalises queries and keys") { check_case("qwen3"); }
TEST_CASE("models: roberta that tags tokens") { check_case("roberta-token-classification"); }
TEST_CASE("models: t5 with relu and one matrix for words in and out") {
  check_case("t5-relu-tied");
}
TEST_CASE("models: bert classifier") { check_case("bert-classification"); }

}  // namespace
}  // namespace lk
