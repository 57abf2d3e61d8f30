// Log-probabilities against the loss of the same tokens, which is checked against transformers.
#include "nn/logprob.h"

#include <cmath>

#include "nn/embed_texts.h"
#include "nn/load.h"
#include "tests/support.h"

namespace lk {
namespace {

const char* kModels[] = {"tests/vectors/models/gpt2", "tests/vectors/models/llama-gqa"};

TEST_CASE("log-probabilities: a continuation's is minus the loss of its tokens") {
  for (const char* folder : kModels) {
    CAPTURE(folder);
    const LoadedModel loaded = load_model(folder, {.task = Task::causal_lm});
    Model& model = *loaded.model;
    const std::vector<Continuation> items{
        {{3, 9, 4}, {7}}, {{5}, {6, 7, 8, 2}}, {{3, 9, 4, 1, 2}, {11, 12}}};
    const auto together = log_probabilities(model, items);
    const auto alone = log_probabilities(model, items, 1);  // one at a time
    REQUIRE(together.size() == items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      CAPTURE(i);
      const Continuation& c = items[i];
      std::vector<int32_t> ids = c.prompt, labels(c.prompt.size() - 1, -100);
      ids.insert(ids.end(), c.text.begin(), c.text.end() - 1);
      labels.insert(labels.end(), c.text.begin(), c.text.end());
      ModelInput in;
      in.ids = ids;
      in.packing.offsets = {0, static_cast<int32_t>(ids.size())};
      for (size_t t = 0; t < ids.size(); ++t)
        in.packing.positions.push_back(static_cast<int32_t>(t));
      const NoGrad no_grad;
      const Var h = model.hidden(in);
      const double loss = model.lm_loss(h, labels).value().item();
      CHECK(std::abs(together[i].sum + loss) <= 1e-4);
      CHECK(std::abs(alone[i].sum + loss) <= 1e-4);
      CHECK(together[i].tokens == static_cast<int64_t>(c.text.size()));
      CHECK(together[i].mean() ==
            doctest::Approx(together[i].sum / static_cast<double>(c.text.size())));
    }
  }
}

TEST_CASE("log-probabilities: all next tokens together have probability 1") {
  const LoadedModel loaded = load_model(kModels[0], {.task = Task::causal_lm});
  std::vector<Continuation> items;
  for (int32_t id = 0; id < loaded.model->info().vocab_size; ++id) items.push_back({{3, 9}, {id}});
  double total = 0;
  for (const LogProbability& p : log_probabilities(*loaded.model, items)) total += std::exp(p.sum);
  CHECK(std::abs(total - 1.0) <= 1e-4);
}

TEST_CASE("log-probabilities: texts that are empty or too long are refused") {
  const LoadedModel loaded = load_model(kModels[0], {.task = Task::causal_lm});
  Model& model = *loaded.model;
  const auto says = [&](Continuation c, const std::string& words) {
    const std::vector<Continuation> items{std::move(c)};
    const std::string message = test::error_of([&] { log_probabilities(model, items); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says({{}, {1}}, "a prompt has no tokens");
  says({{1}, {}}, "a continuation has no tokens");
  const auto most = static_cast<size_t>(model.info().max_positions);
  says({std::vector<int32_t>(most + 1, 1), {1}}, "longer than the model's context");
}

TEST_CASE("embed_texts: of length 1, the same alone and among others") {
  const LoadedModel loaded = load_model(kModels[1], {.task = Task::causal_lm});
  const std::vector<std::vector<int32_t>> texts{{1, 2, 3}, {4}, {5, 6, 7, 8, 9}};
  const auto together = embed_texts(*loaded.model, texts),
             alone = embed_texts(*loaded.model, texts, {.tokens_per_batch = 1});
  REQUIRE(together.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    double squares = 0, most = 0;
    for (size_t j = 0; j < together[i].size(); ++j) {
      squares += static_cast<double>(together[i][j]) * static_cast<double>(together[i][j]);
      most = std::max(most, std::abs(static_cast<double>(together[i][j] - alone[i][j])));
    }
    CHECK(std::abs(squares - 1.0) <= 1e-5);
    CHECK(most <= 1e-5);
  }
}

}  // namespace
}  // namespace lk
