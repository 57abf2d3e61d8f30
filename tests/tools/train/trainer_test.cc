#include "tools/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "tests/support.h"
#include "tests/tiny_models.h"
#include "tests/tools/train/tiny_examples.h"

namespace lk {
namespace {

struct Run {
  std::vector<double> losses;  // mean over the labels of each update
  std::vector<std::vector<double>> weights;
};

// Trains all of a tiny model; `accumulate` batches of `batch_size` make an update.
Run train_tiny(const std::string& type, int64_t batch_size, int64_t accumulate,
               const std::vector<Example>& data) {
  const test::TempDir dir;
  const auto model = test::tiny_model(type, DType::f64);
  std::vector<ParamGroup> groups(1);
  model->visit_parameters([&](Parameter& p) {
    p.make_trainable();
    groups[0].params.emplace_back(p.name, p.var);
  });
  TrainOptions o;
  o.batch_size = batch_size;
  o.accumulate = accumulate;
  o.epochs = 2;
  o.lr = 0.01;
  o.seed = 5;
  o.output = dir.path();
  Run out;
  double sum = 0;
  int64_t labels = 0, in_update = 0, documents = 0;
  const auto loss = [&](Model& m, const Batch& batch) {
    const Var l = batch.class_labels[0] >= 0 ? class_loss(m, batch) : language_loss(m, batch);
    sum += l.value().item();
    labels += batch.labelled;
    // Padding comes last.
    documents += std::count_if(batch.offsets.begin() + 1, batch.offsets.end(),
                               [&](int32_t end) { return end <= batch.real_tokens; });
    if (++in_update == accumulate || documents == static_cast<int64_t>(data.size())) {
      out.losses.push_back(sum / static_cast<double>(labels));
      sum = 0;
      labels = in_update = 0;
      if (documents == static_cast<int64_t>(data.size())) documents = 0;
    }
    return l;
  };
  train(*model, groups, data, loss, o);
  model->visit_parameters(
      [&](Parameter& p) { out.weights.push_back(p.var.value().to_vector<double>()); });
  return out;
}

TEST_CASE("training: several small batches in an update are one big batch") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    const auto data = test::tiny_examples(21, type == "bert");
    const Run big = train_tiny(type, 8, 1, data), small = train_tiny(type, 2, 4, data),
              single = train_tiny(type, 1, 8, data);
    REQUIRE(big.losses.size() == 6);
    for (const Run* other : {&small, &single}) {
      REQUIRE(other->losses.size() == 6);
      for (size_t i = 0; i < 6; ++i)
        CHECK(std::abs(other->losses[i] - big.losses[i]) <= 1e-9 * big.losses[i]);
      // AdamW divides by the gradient's own size: 1 / labels is rounded to f32 in all of them.
      for (size_t i = 0; i < big.weights.size(); ++i)
        for (size_t k = 0; k < big.weights[i].size(); ++k)
          CHECK(std::abs(other->weights[i][k] - big.weights[i][k]) <= 1e-6);
    }
    if (type != "bert") CHECK(big.losses[5] < big.losses[0]);  // its labels are random
  }
}

TEST_CASE("training: the options decide how many updates there are, and which") {
  const auto data = test::tiny_examples(10, false);
  const auto count = [&](auto&& set) {
    const test::TempDir dir;
    const auto model = test::tiny_model("llama", DType::f32);
    std::vector<ParamGroup> groups(1);
    model->visit_parameters([&](Parameter& p) {
      if (p.name != "lm_head.weight") return;
      p.make_trainable();
      groups[0].params.emplace_back(p.name, p.var);
    });
    TrainOptions o;
    o.output = dir.path();
    set(o);
    const TrainResult r = train(*model, groups, data, language_loss, o);
    CHECK(!r.interrupted);
    CHECK(!model->training);
    return r;
  };
  int64_t tokens = 0;
  for (const Example& e : data) tokens += e.length();
  CHECK(count([](TrainOptions& o) {
          o.batch_size = 4;
          o.epochs = 2;
        }).steps == 6);
  CHECK(count([](TrainOptions& o) {
          o.batch_size = 4;
          o.epochs = 0.5;
        }).steps == 2);
  CHECK(count([](TrainOptions& o) {
          o.batch_size = 4;
          o.accumulate = 2;
          o.epochs = 1;
        }).steps == 2);
  CHECK(count([](TrainOptions& o) { o.max_steps = 5; }).steps == 5);
  CHECK(count([](TrainOptions& o) { o.epochs = 3; }).tokens == 3 * tokens);
  CHECK(count([](TrainOptions& o) {
          o.tokens_per_batch = 16;
          o.group_by_length = true;
          o.epochs = 2;
        }).tokens == 2 * tokens);
}

TEST_CASE("training: what cannot be trained is an error") {
  const test::TempDir dir;
  const auto model = test::tiny_model("llama", DType::f32);
  TrainOptions o;
  o.output = dir.path();
  const auto says = [&](std::vector<ParamGroup> groups, const std::vector<Example>& data,
                        const char* words) {
    CHECK(test::error_of([&] { train(*model, groups, data, language_loss, o); }).find(words) !=
          std::string::npos);
  };
  std::vector<ParamGroup> groups(1);
  says(groups, test::tiny_examples(3, false), "no parameter is trainable");
  model->visit_parameters([&](Parameter& p) {
    p.make_trainable();
    groups[0].params.emplace_back(p.name, p.var);
  });
  says(groups, {}, "the training data is empty");
  auto unlabelled = test::tiny_examples(3, false);
  for (Example& e : unlabelled) e.labels.assign(e.labels.size(), -100);
  says(groups, unlabelled, "step 1: no token of the batch carries a label");
  o.schedule = "sudden";
  says(groups, test::tiny_examples(3, false), "unknown schedule 'sudden'");
}

TEST_CASE("training: dropout acts in training alone") {
  const test::TempDir dir;
  const auto model = test::tiny_model("gpt2", DType::f32, 0.3);
  const auto batch = test::pack(test::random_documents({9, 5}, 1));
  const auto loss = [&] { return test::loss_of(*model, batch).value().item(); };
  CHECK(loss() == loss());
  model->training = true;
  CHECK(loss() != loss());
}

}  // namespace
}  // namespace lk
