#include "data/batch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("data sets: good lines are read, bad ones named") {
  const test::TempDir dir;
  test::write_file(dir / "a.tsv", "\xEF\xBB\xBFpos\tgood one\r\nneg\tbad\n\n");
  const ClassData tsv = read_class_tsv(dir / "a.tsv");
  CHECK(tsv.labels() == std::vector<std::string>{"neg", "pos"});
  CHECK(tsv.records[0].text_a == "good one");
  test::write_file(
      dir / "a.jsonl",
      "{\"input\":\"a\",\"output\":\"b\"}\n{\"input\":\"c\",\"references\":[\"x\",\"y\"]}\n");
  const TextData jsonl = read_text_jsonl(dir / "a.jsonl");
  CHECK(jsonl.records[1].output == "x");
  CHECK(jsonl.records[1].references.size() == 2);
  const auto fails = [&](const std::string& name, const std::string& text,
                         const std::string& words) {
    test::write_file(dir / name, text);
    const std::string message = test::error_of([&] {
      if (data_kind(dir / name) == DataKind::class_tsv)
        read_class_tsv(dir / name);
      else
        read_text_jsonl(dir / name);
    });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  fails("x.tsv", "pos\ta\nneg\ta\tb\n", "x.tsv:2: 3 fields");
  fails("x.tsv", "\ta\n", "the label is empty");
  fails("x.tsv", "pos\t\xff\xfe\n", "x.tsv:1: not valid UTF-8");
  fails("x.tsv", "", "the data set is empty");
  fails("x.jsonl", "{\"input\":\"a\",\"output\":\"b\"}\n{\"input\":", "x.jsonl:2: not valid JSON");
  fails("x.jsonl", "{\"inputs\":\"a\"}", "the key \"input\" is missing");
  fails("x.jsonl", "{\"input\":\"a\",\"output\":3}", "\"output\" is number");
  fails("x.jsonl", "[1]", "array, expected an object");
  CHECK_THROWS_AS(data_kind("x.csv"), Error);
}

Example example(int64_t length, int32_t first, int32_t label) {
  Example e;
  for (int64_t i = 0; i < length; ++i) e.ids.push_back(first + static_cast<int32_t>(i));
  e.labels.assign(static_cast<size_t>(length), -100);
  e.class_label = label;
  return e;
}

TEST_CASE(
    "batches: documents end to end, padding without labels, in pieces no longer than the longest") {
  const Example a = example(5, 10, 1), b = example(3, 20, 0);
  const std::vector<const Example*> both{&a, &b};
  const Batch batch = make_batch(both, 16);
  CHECK(batch.offsets == std::vector<int32_t>{0, 5, 8, 13, 16});
  CHECK(batch.class_labels == std::vector<int32_t>{1, 0, -100, -100});
  CHECK(batch.labelled == 2);
  CHECK(batch.real_tokens == 8);
  CHECK(batch.ids[5] == 20);
  CHECK(batch.positions == std::vector<int32_t>{0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2});
  CHECK(batch.labels.size() == 16);
  CHECK(make_batch(both, 4).offsets == std::vector<int32_t>{0, 5, 8});
  CHECK(make_batch(both, 1).offsets == std::vector<int32_t>{0, 5, 8});
}

TEST_CASE(
    "epochs: every example once, the same order for the same seed and epoch, within the budget") {
  std::vector<Example> examples;
  for (int32_t i = 0; i < 103; ++i) examples.push_back(example(1 + i % 13, 0, 0));
  for (const bool grouped : {false, true})
    for (const int64_t budget : {0, 40}) {
      const auto one = epoch_batches(examples, 8, budget, grouped, 5, 2);
      CHECK(one == epoch_batches(examples, 8, budget, grouped, 5, 2));
      CHECK(one != epoch_batches(examples, 8, budget, grouped, 5, 3));
      std::vector<int64_t> seen;
      for (const auto& batch : one) {
        int64_t tokens = 0;
        for (const int64_t i : batch) tokens += examples[static_cast<size_t>(i)].length();
        if (budget > 0) CHECK(tokens <= budget);
        if (budget == 0) CHECK(batch.size() <= 8);
        seen.insert(seen.end(), batch.begin(), batch.end());
      }
      std::sort(seen.begin(), seen.end());
      REQUIRE(seen.size() == 103);
      for (int64_t i = 0; i < 103; ++i) CHECK(seen[static_cast<size_t>(i)] == i);
    }
}

TEST_CASE("examples: loss on the answer only, long ones refused by line or cut") {
  const Tokenizer tokenizer = Tokenizer::load("data/base");
  TextData data{"d.jsonl", {{"name: The Fox", "The Fox is a pub.", {}, 7}}};
  EncodeOptions options;
  options.eos_id = 0;
  const Example e = encode_pair_example(tokenizer, data, data.records[0], options);
  const auto prompt = encode_prompt(tokenizer, data.records[0].input, options);
  std::vector<int32_t> answer;
  for (size_t t = 0; t < e.ids.size(); ++t) {
    if (t + 1 < prompt.size()) CHECK(e.labels[t] == -100);
    if (e.labels[t] != -100) answer.push_back(e.labels[t]);
  }
  CHECK(answer.back() == 0);
  answer.pop_back();
  CHECK(tokenizer.decode(answer) == "The Fox is a pub.");
  options.max_length = static_cast<int64_t>(prompt.size()) + 2;
  const std::string message =
      test::error_of([&] { encode_pair_example(tokenizer, data, data.records[0], options); });
  CHECK(message.find("d.jsonl:7: the example has") != std::string::npos);
  options.truncate = true;
  CHECK(encode_pair_example(tokenizer, data, data.records[0], options).length() ==
        options.max_length);
  options.max_length = 2;
  CHECK(test::error_of([&] {
          encode_pair_example(tokenizer, data, data.records[0], options);
        }).find("nothing of the output is left") != std::string::npos);
}

TEST_CASE("classification examples are cut as transformers cuts them (truncation=True)") {
  const Tokenizer tokenizer =
      Tokenizer::load("tests/vectors/tokenizers/wordpiece-trained.tokenizer.json");
  const auto cases = read_json("tests/data/vectors/truncation.json");
  REQUIRE(cases.size() == 49);
  for (const auto& c : cases) {
    const bool pair = c["b"].is_string();
    const ClassData data{"d.tsv", {{"x", c["a"], pair ? c["b"].get<std::string>() : "", 3}}, pair};
    EncodeOptions options;
    options.max_length = c["max_length"];
    options.truncate = true;
    CAPTURE(c.dump());
    const Example e = encode_class_example(tokenizer, data, data.records[0], {"w", "x"}, options);
    CHECK(e.ids == c["ids"].get<std::vector<int32_t>>());
    CHECK(e.type_ids == c["types"].get<std::vector<int32_t>>());
    CHECK(e.class_label == 1);
  }
}

TEST_CASE("classification examples: what cannot be cut, or may not, is named by its line") {
  const Tokenizer tokenizer =
      Tokenizer::load("tests/vectors/tokenizers/wordpiece-trained.tokenizer.json");
  const ClassData data{"d.tsv", {{"x", "it was a cold day", "and it rained", 3}}, true};
  EncodeOptions options;
  const auto encode = [&] {
    return encode_class_example(tokenizer, data, data.records[0], {"x"}, options);
  };
  const int64_t whole = encode().length();
  options.max_length = whole;
  CHECK(encode().length() == whole);
  options.max_length = whole - 1;
  CHECK(test::error_of(encode).find("d.tsv:3: the example has " + std::to_string(whole)) !=
        std::string::npos);
  options.truncate = true;
  options.max_length = 3;
  CHECK(test::error_of(encode).find("d.tsv:3: cut to 3 tokens, nothing of the text is left") !=
        std::string::npos);
}

TEST_CASE("batches: an encoder-decoder's sources stand beside its targets, pair by pair") {
  const Tokenizer tokenizer = Tokenizer::load("tests/vectors/tokenizers/unigram.tokenizer.json");
  const TextData data{"d.jsonl",
                      {{"the people", "some", {"some"}, 1}, {"a", "know the way", {}, 2}}};
  EncodeOptions options;
  options.eos_id = 1;
  options.decoder_start_id = 0;
  std::vector<Example> examples;
  for (const TextRecord& r : data.records)
    examples.push_back(encode_pair_example(tokenizer, data, r, options));
  const Example& e = examples[0];
  CHECK(e.source_ids == tokenizer.encode("the people", true));
  CHECK(e.labels.back() == 1);
  CHECK(e.ids.front() == 0);
  CHECK(std::equal(e.ids.begin() + 1, e.ids.end(), e.labels.begin()));
  CHECK(e.length() == static_cast<int64_t>(e.ids.size() + e.source_ids.size()));

  const std::vector<const Example*> both{&examples[0], &examples[1]};
  const Batch b = make_batch(both, 8);
  REQUIRE(b.offsets.size() == b.source_offsets.size());
  CHECK(b.ids.size() % 8 == 0);
  CHECK(b.source_ids.size() % 8 == 0);
  CHECK(b.source_offsets.back() == static_cast<int32_t>(b.source_ids.size()));
  for (size_t i = 1; i < b.offsets.size(); ++i) {
    CHECK(b.offsets[i - 1] < b.offsets[i]);
    CHECK(b.source_offsets[i - 1] < b.source_offsets[i]);
  }
  CHECK(b.source_positions.size() == b.source_ids.size());
  CHECK(b.real_tokens == examples[0].length() + examples[1].length());

  options.max_length = 2;
  CHECK(test::error_of([&] {
          encode_pair_example(tokenizer, data, data.records[0], options);
        }).find("d.jsonl:1: the example has") != std::string::npos);
  options.truncate = true;
  const Example cut = encode_pair_example(tokenizer, data, data.records[0], options);
  CHECK(cut.source_ids.size() == 2);
  CHECK(cut.source_ids.back() == e.source_ids.back());
}

}  // namespace
}  // namespace lk
