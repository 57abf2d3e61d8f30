// Masked text: which tokens are to be told, and what stands in their places.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "nn/load.h"
#include "tests/support.h"
#include "tools/train/tasks/task.h"

namespace lk {
namespace {

struct Masked {
  int64_t tokens = 0, told = 0, masked = 0, same = 0, special = 0, wrong_label = 0;
};

class MaskedText {
 public:
  explicit MaskedText(const TaskOptions& options) {
    std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", text;
    for (char c = 'a'; c <= 'z'; ++c) vocab += std::string(1, c) + "\n";
    test::write_file(dir_ / "vocab.txt", vocab);
    for (int i = 0; i < 8000; ++i)
      text += std::string(1, static_cast<char>('a' + i % 26)) + (i % 50 == 49 ? "\n" : " ");
    test::write_file(dir_ / "text.txt", text);
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::load(dir_.path()));
    model_ = build_model(
        Config::parse(R"({"model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1,
                          "num_attention_heads": 1, "intermediate_size": 4, "vocab_size": 31,
                          "max_position_embeddings": 64})",
                      "bert"),
        Task::masked_lm);
    task_ = find_task_kind("mlm").make(dir_ / "text.txt", options, {});
    task_->open({*model_, *tokenizer_, dir_.path(), ""});
    examples = task_->examples(*model_, *tokenizer_, {.max_length = 64});
  }
  Batch batch(uint64_t number) const {
    std::vector<const Example*> all;
    for (const Example& e : examples) all.push_back(&e);
    return task_->batch(all, number);
  }
  Masked count(const Batch& b) const {
    std::vector<const Example*> all;
    for (const Example& e : examples) all.push_back(&e);
    const Batch plain = make_batch(all);
    Masked m;
    for (size_t t = 0; t < plain.ids.size(); ++t) {
      m.tokens += plain.labels[t] != -100;
      if (b.labels[t] == -100) continue;
      ++m.told;
      m.masked += b.ids[t] == 4;
      m.same += b.ids[t] == plain.ids[t];
      m.special += plain.labels[t] == -100;
      m.wrong_label += b.labels[t] != plain.ids[t];
    }
    return m;
  }
  std::vector<Example> examples;

 private:
  test::TempDir dir_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<TaskData> task_;
};

TEST_CASE("masked text: 15 % are told, 80/10/10; special tokens never; anew for each batch") {
  const MaskedText text{TaskOptions{.seed = 7}};
  CHECK(text.examples.size() == (8000 + 61) / 62);
  CHECK(text.examples[0].ids.size() == 64);
  CHECK(text.examples[0].ids.front() == 2);
  CHECK(text.examples[0].ids.back() == 3);
  const Batch first = text.batch(0);
  const Masked m = text.count(first);
  CHECK(m.tokens == 8000);
  CHECK(first.labelled == m.told);
  CHECK(m.special == 0);
  CHECK(m.wrong_label == 0);
  const auto share = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  // Five standard deviations of 8000, and of 1200, draws.
  CHECK(std::abs(share(m.told, m.tokens) - 0.15) <= 0.02);
  // Another token is by chance the mask, or the same, in one of 31 draws.
  CHECK(std::abs(share(m.masked, m.told) - (0.8 + 0.1 / 31)) <= 0.06);
  CHECK(std::abs(share(m.same, m.told) - (0.1 + 0.1 / 31)) <= 0.045);
  CHECK(text.batch(0).ids == first.ids);
  CHECK(text.batch(1).ids != first.ids);
}

TEST_CASE("masked text: the shares are options; a batch has one token to be told at least") {
  TaskOptions all{.seed = 1};
  all.mlm_probability = 1;
  all.mask_replace = 1;
  all.random_replace = 0;
  const MaskedText text(all);
  const Masked m = text.count(text.batch(3));
  CHECK(m.told == 8000);
  CHECK(m.masked == 8000);
  TaskOptions none = all;
  none.mlm_probability = 1e-6;
  const MaskedText rare(none);
  const Masked one = rare.count(rare.batch(3));
  CHECK(one.told == 1);
  CHECK(one.masked == 1);
  CHECK(one.wrong_label == 0);
}

}  // namespace
}  // namespace lk
