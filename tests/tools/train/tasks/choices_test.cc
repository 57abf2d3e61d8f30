// Classes by words: what goes into T-Few's losses, and what the scores are made of.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "nn/load.h"
#include "tests/support.h"
#include "tools/train/tasks/task.h"
#include "tools/train/trainer.h"

namespace lk {
namespace {

const char* kData =
    "good\tthe food was warm\nbad\tthe soup was cold\nneither\ta day\ngood\ta fine day\n";

std::unique_ptr<Model> make(const std::string& type) {
  const std::string rows =
      std::to_string(Config::load("data/base").integer("vocab_size", 1, 1 << 20));
  const std::string text =
      type == "t5" ? R"({"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1,
                "num_heads": 2, "dropout_rate": 0.0, "eos_token_id": 0, "pad_token_id": 0,
                "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false,
                "initializer_range": 0.3, "vocab_size": )"
                   : R"({"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1,
                "num_attention_heads": 2, "intermediate_size": 16, "eos_token_id": 0,
                "max_position_embeddings": 64, "initializer_range": 0.3, "vocab_size": )";
  return make_model(Config::parse(text + rows + "}", type), Task::causal_lm, DType::f64, 5);
}

struct Opened {
  test::TempDir dir;
  std::unique_ptr<Model> model;
  Tokenizer tokenizer = Tokenizer::load("data/base");
  std::unique_ptr<TaskData> task;
  std::vector<Example> examples;
  Opened(const std::string& type, const TaskOptions& options) : model(make(type)) {
    test::write_file(dir / "train.tsv", kData);
    task = find_task_kind("choices").make(dir / "train.tsv", options, {});
    task->open({*model, tokenizer, dir.path(), ""});
    examples = task->examples(*model, tokenizer, encode_options(*model, ScoreOptions{}));
  }
  Batch batch(const std::vector<size_t>& which) const {
    std::vector<const Example*> part;
    for (const size_t i : which) part.push_back(&examples[i]);
    return task->batch(part, 0);
  }
};

// -log p of each labelled token, the answer read alone.
std::vector<double> losses_of(Model& model, Example e) {
  const NoGrad no_grad;
  std::vector<double> out;
  const std::vector<int32_t> labels = e.labels;
  for (size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == -100) continue;
    e.labels.assign(labels.size(), -100);
    e.labels[t] = labels[t];
    const std::vector<const Example*> one{&e};
    out.push_back(language_loss(model, make_batch(one)).value().item());
  }
  return out;
}

TEST_CASE("classes by words: T-Few's loss of a batch is that of its answers read one by one") {
  for (const char* type : {"llama", "t5"}) {
    CAPTURE(type);
    TaskOptions options;
    options.unlikelihood = 0.5;
    options.length_normalized = 2;
    options.verbalizer = {{"good", "fine"}, {"bad", "so very bad"}, {"neither", "not one"}};
    Opened t(type, options);
    REQUIRE(t.examples.size() == 4);
    double expected = 0;
    for (const Example& e : t.examples) {
      REQUIRE(e.wrong.size() == 2);
      const std::vector<double> right = losses_of(*t.model, e);
      double mean = 0, unlikely = 0, count = 0;
      for (const double loss : right) mean += loss / static_cast<double>(right.size());
      double total = std::exp(-mean);
      for (const Example& wrong : e.wrong) {
        double beta = 0;
        const std::vector<double> losses = losses_of(*t.model, wrong);
        for (const double loss : losses) {
          beta -= loss / static_cast<double>(losses.size());
          unlikely -= std::log(1 - std::exp(-loss) + 0.01);
          ++count;
        }
        total += std::exp(beta);
      }
      expected += mean + 0.5 * unlikely / count + 2 * (mean + std::log(total));
    }
    const Batch all = t.batch({0, 1, 2, 3});
    CHECK(all.labelled == 4);
    const double loss = t.task->loss(*t.model, all).value().item();
    CHECK(std::abs(loss - expected) <= 1e-6 * expected);
    // Batches of accumulation add up.
    const double parts = t.task->loss(*t.model, t.batch({0})).value().item() +
                         t.task->loss(*t.model, t.batch({1, 2, 3})).value().item();
    CHECK(std::abs(parts - loss) <= 1e-6 * loss);
    // The right answer alone without T-Few.
    const Opened plain(type, TaskOptions{.verbalizer = options.verbalizer});
    CHECK(plain.examples[0].wrong.empty());
    CHECK(plain.batch({0}).records.empty());
  }
}

TEST_CASE("classes by words: gradients of T-Few's loss against central differences") {
  for (const char* type : {"llama", "t5"}) {
    CAPTURE(type);
    TaskOptions options;
    options.unlikelihood = options.length_normalized = 1;
    Opened t(type, options);
    const Batch batch = t.batch({0, 1, 2});
    std::vector<Parameter*> parameters;
    t.model->visit_parameters([&](Parameter& p) {
      p.freeze();
      const bool small = p.shape.numel() <= 256;
      if (!small) return;
      p.make_trainable();
      parameters.push_back(&p);
    });
    backward(t.task->loss(*t.model, batch));
    const NoGrad no_grad;
    for (Parameter* p : parameters) {
      CAPTURE(p->name);
      const Tensor g = p->var.grad();
      if (p->name.find("relative_attention_bias") != std::string::npos && !g.defined()) continue;
      REQUIRE(g.defined());
      double error = 0, largest = 1e-3;
      for (int64_t i = 0; i < g.numel(); i += 7) {
        double& x = p->var.value().data<double>()[i];
        const double at = x, step = 1e-5;
        x = at + step;
        const double up = t.task->loss(*t.model, batch).value().item();
        x = at - step;
        const double down = t.task->loss(*t.model, batch).value().item();
        x = at;
        error = std::max(error, std::abs((up - down) / (2 * step) - g.item(i)));
        largest = std::max(largest, std::abs(g.item(i)));
      }
      CHECK(error <= 1e-5 * largest);
    }
  }
}

TEST_CASE("classes by words: what cannot be is named") {
  const auto says = [](const TaskOptions& options, const std::string& words) {
    const std::string message = test::error_of([&] { Opened("llama", options); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says({.template_text = "{text}"}, "holds {label} nowhere");
  says({.template_text = "{text} {label} {label}"}, "holds {label} twice");
  says({.template_text = "{label}"}, "begins with the answer");
  says({.template_text = "{text} [MASK] {label}"}, "which this model does not know");
  says({.template_text = "{body} {label}"}, "train.tsv:1: the template's slot {body}");
  says({.verbalizer = {{"good", "fine"}}}, "no word for the label 'bad'");
  CHECK(test::error_of([] { find_task_kind("coize"); }).find("(known: classes, cloze, choices,") !=
        std::string::npos);
  const auto remembered = [](const char* text) {
    return test::error_of(
        [&] { remembered_task(Settings(nlohmann::json::parse(text), "adapter_config.json")); });
  };
  CHECK(remembered(R"({"lorikeet": {"task": {"name": "coize"}}})").find("'coize'") !=
        std::string::npos);
  CHECK(remembered(R"({"lorikeet": {"task": {"name": "cloze", "template": 3}}})")
            .find("adapter_config.json: 'lorikeet.task' is") != std::string::npos);
}

}  // namespace
}  // namespace lk
