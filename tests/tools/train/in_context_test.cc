// With the shipped base, which has a tokenizer and knows little: what counts here is how the prompt
// is made and the choices are scored.
#include "tools/train/in_context.h"

#include "nn/generate.h"
#include "nn/logprob.h"
#include "tests/support.h"

namespace lk {
namespace {

const char* kData =
    "good\tthe food was warm\nbad\tthe soup was cold\ngood\ta fine day\nbad\ta lost shoe\n";

TEST_CASE("in context: zero-shot, the choice is the likeliest label after the template") {
  const test::TempDir dir;
  test::write_file(dir / "test.tsv", kData);
  OpenModel open = open_model("data/base", "", DType::f32);
  InContextOptions o;
  o.template_text = "{text}. It was {label}\n";
  const Scores scores = score_in_context(open, dir / "test.tsv", o, {});
  const char* texts[] = {"the food was warm", "the soup was cold", "a fine day", "a lost shoe"};
  REQUIRE(scores.outputs.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    const auto prompt = open.tokenizer.encode(std::string(texts[i]) + ". It was", true);
    const std::vector<Continuation> items{{prompt, open.tokenizer.encode(" bad", false)},
                                          {prompt, open.tokenizer.encode(" good", false)}};
    const auto p = log_probabilities(*open.model, items);
    CHECK(scores.outputs[i] == (p[1].mean() > p[0].mean() ? "good" : "bad"));
  }
  // Words in place of a label change the choice's text, not its name.
  o.verbalizer = {{"good", "the"}, {"bad", "zebra zebra"}};
  for (const std::string& output : score_in_context(open, dir / "test.tsv", o, {}).outputs)
    CHECK(output == "good");
}

TEST_CASE("in context: nearest shows the record itself; seeds decide what random shows") {
  const test::TempDir dir;
  test::write_file(dir / "pool.jsonl",
                   "{\"input\": \"the red fox runs\", \"output\": \"one\"}\n"
                   "{\"input\": \"a king of England spoke\", \"output\": \"two\"}\n"
                   "{\"input\": \"sodium and water\", \"output\": \"three\"}\n");
  OpenModel open = open_model("data/base", "", DType::f32);
  InContextOptions o;
  o.pool = dir / "pool.jsonl";
  o.shots = 1;
  const auto outputs = [&] {
    return score_in_context(open, dir / "pool.jsonl", o, {.max_new_tokens = 4}).outputs;
  };
  const auto first = outputs();
  CHECK(outputs() == first);
  o.selection = "nearest";
  const auto nearest = outputs();
  // With the record itself as the only example, its prompt is the text twice with the answer.
  const std::string by_hand = "sodium and water\nthree\n\nsodium and water\n";
  GenerateOptions g;
  g.max_new_tokens = 4;
  std::string expected =
      open.tokenizer.decode(generate(*open.model, {open.tokenizer.encode(by_hand, true)}, g)[0]);
  expected = expected.substr(0, expected.find("\n\n"));
  const size_t begin = expected.find_first_not_of(" \n");
  CHECK(nearest[2] == (begin == std::string::npos ? "" : expected.substr(begin)));
}

TEST_CASE("in context: calibration stands behind the record's own examples") {
  const test::TempDir dir;
  test::write_file(dir / "test.tsv", kData);
  OpenModel open = open_model("data/base", "", DType::f32);
  InContextOptions o{.pool = dir / "test.tsv", .shots = 1, .selection = "nearest"};
  o.calibrate = true;
  o.template_text = "{text}. It was {label}\n";
  const char* texts[] = {"the food was warm", "the soup was cold", "a fine day", "a lost shoe"};
  // Each record is its own nearest example. What another's would make of a choice differs.
  int by_another = 0;
  for (const auto& words : {std::pair{"good", "bad"},
                            {"the", "a"},
                            {"fine", "cold"},
                            {"one", "two"},
                            {"red", "blue"},
                            {"here", "there"}}) {
    const char *const good = words.first, *const bad = words.second;
    o.verbalizer = {{"good", good}, {"bad", bad}};
    const Scores scores = score_in_context(open, dir / "test.tsv", o, {});
    for (size_t i = 0; i < 4; ++i) {
      const auto shown = [&](size_t j) {
        return std::string(texts[j]) + ". It was " + (j % 2 ? bad : good) + "\n";
      };
      const auto gain = [&](size_t example, const char* word) {
        const std::vector<int32_t> choice = open.tokenizer.encode(std::string(" ") + word, false);
        const std::vector<Continuation> items{
            {open.tokenizer.encode(shown(i) + texts[i] + ". It was", true), choice},
            {open.tokenizer.encode(shown(example) + "N/A. It was", true), choice}};
        const auto p = log_probabilities(*open.model, items);
        return p[0].mean() - p[1].mean();
      };
      const bool is_good = gain(i, good) > gain(i, bad);
      CHECK(scores.outputs[i] == (is_good ? "good" : "bad"));
      for (size_t j = 0; j < 4; ++j) by_another += (gain(j, good) > gain(j, bad)) != is_good;
    }
  }
  CHECK(by_another > 0);  // so that the examples matter here
}

TEST_CASE("in context: what cannot be is named") {
  const test::TempDir dir;
  test::write_file(dir / "test.tsv", kData);
  test::write_file(dir / "text.txt", "words\n");
  OpenModel open = open_model("data/base", "", DType::f32);
  const auto says = [&](InContextOptions o, const char* file, const std::string& words) {
    const std::string message = test::error_of([&] { score_in_context(open, dir / file, o, {}); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says({.shots = 2}, "test.tsv", "--shots 2 needs --shots-from");
  says({.pool = dir / "test.tsv", .shots = 5}, "test.tsv", "has only 4 examples");
  says({.pool = dir / "text.txt", .shots = 1}, "test.tsv", "of different kinds");
  says({.verbalizer = {{"fine", "ok"}}}, "test.tsv", "the label 'fine'");
  says({}, "text.txt", "plain text has no answers");
}

}  // namespace
}  // namespace lk
