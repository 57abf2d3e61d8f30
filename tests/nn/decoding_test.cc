#include "nn/generate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

TEST_CASE("generate: greedily and with three beams what transformers writes") {
  for (const char* name : {"gpt2", "qwen3", "t5-relu-tied"}) {
    CAPTURE(name);
    const std::filesystem::path folder = std::filesystem::path("tests/vectors/models") / name;
    const auto vectors = SafetensorsFile::open(folder / "vectors.safetensors");
    const LoadedModel loaded = load_model(folder, {});
    const test::OracleBatch batch = test::read_batch(*vectors, "in.", loaded.model->info());
    CHECK(test::generation_error(*loaded.model, batch, vectors->get("out.greedy"), 1) == 0);
    CHECK(test::generation_error(*loaded.model, batch, vectors->get("out.beam3"), 3) == 0);
  }
}

// The log-probability of `more` behind `text`, read without a cache.
double log_probability(Model& model, std::vector<int32_t> text, const std::vector<int32_t>& more) {
  const NoGrad no_grad;
  double total = 0;
  for (const int32_t id : more) {
    const Tensor h = test::hidden_of(model, test::pack({text}));
    const auto z = model.lm_logits(h.rows(h.dim(0) - 1, h.dim(0))).value().to_vector<double>();
    double sum = 0;
    for (const double x : z) sum += std::exp(x);
    total += z[static_cast<size_t>(id)] - std::log(sum);
    text.push_back(id);
  }
  return total;
}

TEST_CASE("generate: log-probabilities are the model's own, whatever is drawn") {
  const auto model = test::tiny_model("gpt2", DType::f64);
  const auto prompts = test::random_documents({4, 2}, 9);
  GenerateOptions options;
  options.max_new_tokens = 4;
  options.temperature = 1.5;
  options.top_k = 9;
  options.repetition_penalty = 1.3;
  options.seed = 3;
  std::vector<double> totals(2, 0.0);
  options.on_log_probability = [&](size_t prompt, int32_t, double p) { totals[prompt] += p; };
  const auto written = generate(*model, prompts, options);
  for (size_t i = 0; i < 2; ++i)
    CHECK(std::abs(totals[i] - log_probability(*model, prompts[i], written[i])) <= 1e-5);
}

TEST_CASE("generate: with a beam for every token the likeliest pair is found") {
  const auto model = test::tiny_model("llama", DType::f64);
  const std::vector<int32_t> text = test::random_documents({5}, 3)[0];
  double best = -1e9;
  std::vector<int32_t> likeliest;
  for (int32_t a = 0; a < test::kVocab; ++a)
    for (int32_t b = 0; b < test::kVocab; ++b)
      if (const double p = log_probability(*model, text, {a, b}); p > best) {
        best = p;
        likeliest = {a, b};
      }
  GenerateOptions options;
  options.max_new_tokens = 2;
  options.num_beams = test::kVocab;
  CHECK(generate(*model, {text}, options)[0] == likeliest);
}

TEST_CASE("generate: beams of prompts of different lengths do not touch each other") {
  const auto model = test::tiny_model("gpt2", DType::f64);
  const auto prompts = test::random_documents({3, 9, 1}, 4);
  GenerateOptions options;
  options.max_new_tokens = 7;
  options.num_beams = 3;
  options.eos_ids = {4, 11, 17};
  const auto together = generate(*model, prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i)
    CHECK(generate(*model, {prompts[i]}, options)[0] == together[i]);
}

TEST_CASE("generate: beam search stops where the context ends, and does not sample") {
  const auto model = test::tiny_model("llama", DType::f64);
  GenerateOptions options;
  options.max_new_tokens = 1000;
  options.num_beams = 2;
  const auto prompts = test::random_documents({44}, 5);
  CHECK(prompts[0].size() + generate(*model, prompts, options)[0].size() == 48);
  options.temperature = 1;
  CHECK(test::error_of([&] { generate(*model, prompts, options); }).find("does not sample") !=
        std::string::npos);
}

TEST_CASE("generate: stop ends a text behind the id that fulfils it") {
  const auto model = test::tiny_model("llama", DType::f64);
  const auto prompts = test::random_documents({4, 6}, 6);
  GenerateOptions options;
  options.max_new_tokens = 10;
  const auto all = generate(*model, prompts, options);
  options.stop = [](size_t prompt, const std::vector<int32_t>& ids) {
    return prompt == 1 && ids.size() == 3;
  };
  const auto some = generate(*model, prompts, options);
  CHECK(some[0] == all[0]);
  CHECK(some[1] == std::vector<int32_t>(all[1].begin(), all[1].begin() + 3));
}

TEST_CASE("choose_token: min_p keeps what has its share of the likeliest's probability") {
  // Probabilities 0.5, 0.3, 0.15, 0.05.
  const Tensor logits =
      Tensor::from<double>({std::log(0.5), std::log(0.3), std::log(0.15), std::log(0.05)}, {1, 4});
  GenerateOptions options;
  options.temperature = 1;
  const auto drawn = [&] {
    Random random(1);
    std::vector<double> share(4);
    for (int i = 0; i < 4000; ++i)
      share[static_cast<size_t>(choose_token(logits, options, random))] += 1.0 / 4000;
    return share;
  };
  CHECK(drawn()[3] > 0.03);
  options.min_p = 0.25;
  const auto share = drawn();
  CHECK(share[3] == 0);
  CHECK(std::abs(share[2] - 0.15 / 0.95) < 0.02);
  options.min_p = 0.31;
  CHECK(drawn()[2] == 0);
  options.min_p = 1.0;
  CHECK(drawn()[0] == doctest::Approx(1));
}

TEST_CASE("choose_token: a token that was seen is penalised once") {
  const Tensor logits = Tensor::from<double>({3.0, 2.0, -1.0}, {1, 3});
  GenerateOptions options;
  options.repetition_penalty = 1.4;
  Random unused(0);
  CHECK(choose_token(logits, options, unused) == 0);
  CHECK(choose_token(logits, options, unused, std::vector<int32_t>{0, 0}) == 0);  // 3 / 1.4 > 2
  options.repetition_penalty = 1.6;
  CHECK(choose_token(logits, options, unused, std::vector<int32_t>{0}) == 1);
  std::vector<double> scores{4.0, -2.0, 1.0};
  penalise_repetition<double>(scores, std::vector<int32_t>{1, 0, 1}, 2.0);
  CHECK(scores == std::vector<double>{2.0, -4.0, 1.0});
}

}  // namespace
}  // namespace lk
