// finetune and evaluate on the kinds of task: cloze questions, masked text, classes by words.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/safetensors.h"
#include "nn/load.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

using nlohmann::json;
using test::Outcome;

// DIR/model: an untrained masked BERT of two blocks, with a tokenizer of whole words.
void make_mlm_folder(const test::TempDir& dir) {
  std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (const char* word : {"good", "bad", "fine", "poor", "was", "it", "in", "paris", "rome",
                           "france", "italy", "capital", "of", "the", "is", ".", "?", "##ly"})
    vocab += std::string(word) + "\n";
  for (char c = 'a'; c <= 'z'; ++c) vocab += std::string(1, c) + "\n##" + c + "\n";
  const auto rows = std::count(vocab.begin(), vocab.end(), '\n');
  const Config config = Config::parse(
      R"({"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 16,
          "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
          "max_position_embeddings": 32, "initializer_range": 0.2, "hidden_dropout_prob": 0.0,
          "attention_probs_dropout_prob": 0.0, "vocab_size": )" +
          std::to_string(rows) + "}",
      "bert");
  save_model(*make_model(config, Task::masked_lm, DType::f32, 1), config, dir / "model",
             DType::f32);
  test::write_file(dir / "model" / "vocab.txt", vocab);
}

// DIR/model: an untrained T5 of two blocks with the shipped base's tokenizer.
void make_t5_folder(const test::TempDir& dir) {
  const auto rows = Config::load("data/base").integer("vocab_size", 1, 1 << 20);
  const Config config = Config::parse(
      R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 16,
          "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0,
          "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false, "eos_token_id": 0,
          "pad_token_id": 0, "initializer_range": 0.2, "is_encoder_decoder": true,
          "vocab_size": )" +
          std::to_string(rows) + "}",
      "t5");
  save_model(*make_model(config, Task::causal_lm, DType::f32, 1), config, dir / "model",
             DType::f32);
  std::filesystem::copy_file("data/base/tokenizer.json", dir / "model" / "tokenizer.json");
}

std::string finetune(const test::TempDir& dir, const std::string& data, const std::string& more) {
  return test::tool("finetune") + " --model " + (dir / "model").string() + " --train " +
         (dir / data).string() + " --dev " + (dir / data).string() + " --output " +
         (dir / "out").string() + " --batch-size 8 --seed 3 " + more;
}

json results(const test::TempDir& dir) {
  return json::parse(test::read_file(dir / "out" / "results.json"));
}

json settings(const test::TempDir& dir) {
  return json::parse(test::read_file(dir / "out" / "adapter" / "adapter_config.json"));
}

// The loss of the last step over that of the first.
double loss_left(const test::TempDir& dir) {
  const std::string log = test::read_file(dir / "out" / "log.jsonl");
  const auto loss = [](const std::string& line) { return json::parse(line)["loss"].get<double>(); };
  return loss(log.substr(log.rfind('\n', log.size() - 2) + 1)) /
         loss(log.substr(0, log.find('\n')));
}

// The scores that evaluate prints: "accuracy 1, ...".
double printed(const Outcome& o, const std::string& name) {
  const size_t at = o.text.find(name + " ");
  REQUIRE(at != std::string::npos);
  return std::stod(o.text.substr(at + name.size() + 1));
}

Outcome evaluate(const test::TempDir& dir, const std::string& data, const std::string& more = "") {
  return run(dir, test::tool("evaluate") + " --adapter " + (dir / "out" / "adapter").string() +
                      " --data " + (dir / data).string() + " " + more);
}

TEST_CASE("cloze: P-tuning in a template learns classes by their words, and is read back") {
  const test::TempDir dir;
  make_mlm_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  std::string method = "--method ptuning --encoder LSTM --lr 0.02";
  SUBCASE("LSTM") {}
  SUBCASE("prompt") { method = "--method prompt --prompt-init RANDOM --lr 0.1"; }
  SUBCASE("a hard prompt") { method = "--method lora --target-modules query,value --lr 0.02"; }
  const bool hard = method.find("lora") != std::string::npos;
  const std::string text = hard ? "{text} ? it was [MASK] ." : "[P]*2 {text} [P] [MASK] .";
  const Outcome o = run(dir, finetune(dir, "train.tsv",
                                      method + " --max-steps 60 --template '" + text +
                                          "' --verbalizer yes=good,no=bad"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.says("Before, the base answers:") == hard);
  const double learnt = results(dir)["after"]["accuracy"].get<double>();
  // Prompts alone move an untrained model little.
  CHECK(loss_left(dir) < 0.9);
  if (hard) CHECK(learnt == 1.0);
  const json config = settings(dir);
  CHECK(config["lorikeet"]["task"] == json{{"name", "cloze"},
                                           {"template", text},
                                           {"verbalizer", {{"yes", "good"}, {"no", "bad"}}},
                                           {"labels", {"no", "yes"}}});
  if (!hard) {
    CHECK(config["num_virtual_tokens"] == 3);
    CHECK(config["prompt_placement"] == "template");
  }
  // The adapter knows its task.
  const Outcome again = evaluate(dir, "train.tsv");
  CAPTURE(again.text);
  REQUIRE(again.code == 0);
  CHECK(std::abs(printed(again, "accuracy") - learnt) <= 1e-3);
  // Other words for the labels are another question.
  const Outcome turned = evaluate(dir, "train.tsv", "--verbalizer yes=bad,no=good");
  REQUIRE(turned.code == 0);
  CHECK(std::abs(printed(turned, "accuracy") - (1 - learnt)) <= 1e-3);
}

TEST_CASE("cloze: facts are asked for among all tokens; answers of several tokens are left out") {
  const test::TempDir dir;
  make_mlm_folder(dir);
  std::string data;
  for (const auto& [country, city] : {std::pair{"france", "paris"}, {"italy", "rome"}})
    data += json{{"subject", country},
                 {"input", std::string("the capital of ") + country + " is [MASK] ."},
                 {"output", city}}
                .dump() +
            "\n";
  data += json{{"subject", "x"}, {"input", "the capital of x is [MASK] ."}, {"output", "goodly"}}
              .dump() +
          "\n";
  test::write_file(dir / "facts.jsonl", data);
  std::string more = "--method lora --target-modules query,value";
  SUBCASE("the mask stands in the input") {}
  SUBCASE("P-tuning's template for facts") {
    more = "--method ptuning --template '[P]*3 {subject} [P]*3 [MASK]'";
  }
  const Outcome o = run(dir, finetune(dir, "facts.jsonl", more + " --lr 0.05 --max-steps 200"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.says("facts.jsonl: 1 of 3 records are left out, the first because"));
  CHECK(o.says("facts.jsonl:3: the answer 'goodly' is 2 tokens (good, ##ly)"));
  CHECK(o.says("2 examples"));
  CHECK(loss_left(dir) < 0.8);
  const json after = results(dir)["after"];
  if (more.find("lora") != std::string::npos) {
    CHECK(after["P@1"] == 1.0);
    CHECK(after["reciprocal rank"] == 1.0);
    CHECK(o.says("-> paris"));
  }
  const Outcome again = evaluate(dir, "facts.jsonl");
  CAPTURE(again.text);
  REQUIRE(again.code == 0);
  CHECK(printed(again, "P@1") == after["P@1"].get<double>());
  CHECK(std::abs(printed(again, "loss") - after["loss"].get<double>()) <= 1e-3);
}

TEST_CASE("masked text: the loss falls; pseudo-perplexity masks each token by itself") {
  const test::TempDir dir;
  make_mlm_folder(dir);
  std::string text;
  for (int i = 0; i < 30; ++i) text += "the capital of france is paris . it was good in rome ?\n";
  test::write_file(dir / "text.txt", text);
  const Outcome o = run(
      dir,
      finetune(dir, "text.txt", "--method full --lr 0.003 --max-steps 200 --mlm-probability 0.3"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  const json r = results(dir);
  CHECK(r["after"]["loss"].get<double>() < 0.7 * r["before"]["loss"].get<double>());
  // Masking is the same each time it is scored.
  const Outcome masked = evaluate(dir, "text.txt", "--mlm-probability 0.3 --seed 3"),
                each = evaluate(dir, "text.txt", "--pseudo-perplexity --limit 2");
  CAPTURE(masked.text);
  REQUIRE(masked.code == 0);
  CHECK(std::abs(printed(masked, "loss") - r["after"]["loss"].get<double>()) <= 1e-3);
  CAPTURE(each.text);
  REQUIRE(each.code == 0);
  CHECK(printed(each, "tokens") == 60);  // two pieces of 32 less [CLS] and [SEP]
  CHECK(std::abs(std::log(printed(each, "pseudo-perplexity")) - printed(each, "loss")) <= 1e-2);
  CHECK(std::abs(printed(each, "loss") - printed(masked, "loss")) <= 0.3);
}

TEST_CASE("classes by words: T5 and a decoder rank the labels, with T-Few's losses or without") {
  const test::TempDir dir;
  test::write_file(dir / "train.tsv", test::class_data(24));
  std::string more = "--max-steps 60 --lr 0.03 ";
  SUBCASE("T5") { make_t5_folder(dir); }
  SUBCASE("T5, T-Few with (IA)3") {
    make_t5_folder(dir);
    more = "--max-steps 150 --lr 0.1 --method ia3 --tfew --optimizer adafactor ";
  }
  SUBCASE("a decoder") {
    test::make_llama_folder(dir);
    more += "--verbalizer yes=fine,no='so bad' ";
  }
  const Outcome o = run(dir, finetune(dir, "train.tsv", more));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(!o.says("new weights"));  // no head
  const double learnt = results(dir)["after"]["accuracy"].get<double>();
  CHECK(learnt == 1.0);
  CHECK(settings(dir)["lorikeet"]["task"]["name"] == "choices");
  const Outcome again = evaluate(dir, "train.tsv");
  CAPTURE(again.text);
  REQUIRE(again.code == 0);
  CHECK(printed(again, "accuracy") == learnt);
}

TEST_CASE("classes by words: virtual tokens in a decoder's template learn and are read back") {
  const test::TempDir dir;
  test::make_llama_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  const Outcome o = run(dir, finetune(dir, "train.tsv",
                                      "--tfew --template '{text} [P]*2 It is {label}' --method "
                                      "prompt --lr 0.1 --max-steps 60"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(settings(dir)["num_virtual_tokens"] == 2);
  CHECK(loss_left(dir) < 0.95);
  const Outcome again = evaluate(dir, "train.tsv");
  CAPTURE(again.text);
  REQUIRE(again.code == 0);
  CHECK(std::abs(printed(again, "accuracy") - results(dir)["after"]["accuracy"].get<double>()) <=
        1e-3);
  // Another template has no places for them.
  const Outcome other = evaluate(dir, "train.tsv", "--template '{text} It is {label}'");
  CHECK(other.code == 1);
  CHECK(other.says("this text has no place for them"));
}

TEST_CASE("tasks: a run of T-Few that was cut off goes on bit for bit") {
  const test::TempDir dir;
  make_t5_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  const std::string steps = "--method ia3 --tfew --lr 0.01 --max-steps 12 --save-steps 6 ";
  REQUIRE(run(dir, finetune(dir, "train.tsv", steps)).code == 0);
  const std::string whole = test::read_file(dir / "out" / "adapter" / "adapter_model.safetensors");
  std::filesystem::remove(dir / "out" / "checkpoint-00000012.safetensors");
  const Outcome o = run(dir, finetune(dir, "train.tsv", steps + "--resume"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(o.says("resumed after step 6"));
  CHECK(test::read_file(dir / "out" / "adapter" / "adapter_model.safetensors") == whole);
}

TEST_CASE("finetune: a variant sets what is not told; an adapter can be the start of another run") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  const auto alpha = [&](const std::string& more) {
    const Outcome o = run(dir, finetune(dir, "train.tsv", "--max-steps 1 " + more));
    CAPTURE(o.text);
    REQUIRE(o.code == 0);
    return settings(dir)["lora_alpha"].get<int>();
  };
  CHECK(alpha("") == 8);
  CHECK(alpha("--variant original") == 16);
  CHECK(alpha("--variant original --alpha 4") == 4);
  const auto fails = [&](const std::string& more, const std::string& words) {
    const Outcome o = run(dir, finetune(dir, "train.tsv", "--max-steps 1 " + more));
    CAPTURE(o.text);
    CHECK(o.code == 1);
    CHECK(o.says(words));
  };
  fails("--method ptuning --variant adapterhub", "has no variant 'adapterhub'");
  const Outcome table = run(dir, test::tool("inspect") + " --variants prompt");
  CHECK(table.code == 0);
  CHECK(table.says("| `prompt_tuning_init` |"));

  // A rate of almost nothing: what comes out is what went in.
  REQUIRE(run(dir, finetune(dir, "train.tsv", "--method lora --lr 0.05 --max-steps 5")).code == 0);
  std::filesystem::rename(dir / "out", dir / "first");
  const std::string start = "--start-from " + (dir / "first" / "adapter").string() + " ";
  const Outcome o = run(dir, finetune(dir, "train.tsv", start + "--lr 1e-12 --max-steps 2"));
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  CHECK(results(dir)["method"] == "lora");
  const auto a = SafetensorsFile::open(dir / "first" / "adapter" / "adapter_model.safetensors"),
             b = SafetensorsFile::open(dir / "out" / "adapter" / "adapter_model.safetensors");
  REQUIRE(a->names() == b->names());
  double moved = 0;
  for (const std::string& name : a->names())
    for (int64_t i = 0; i < a->get(name).numel(); ++i)
      moved = std::max(moved, std::abs(a->get(name).item(i) - b->get(name).item(i)));
  CHECK(moved <= 1e-9);
  fails(start + "--method ia3", "the adapter is of the method lora, not ia3");
  fails(start + "--rank 2", "takes the adapter's settings as they are");
}

TEST_CASE("tasks: bad input is named") {
  const test::TempDir dir;
  make_mlm_folder(dir);
  test::write_file(dir / "train.tsv", test::class_data(24));
  test::write_file(dir / "text.txt", "the capital\n");
  test::write_file(dir / "facts.jsonl", "{\"input\": \"it was [MASK]\", \"output\": \"goodly\"}\n");
  test::write_file(dir / "plain.jsonl", "{\"input\": \"it was\", \"output\": \"good\"}\n");
  const auto fails = [&](const std::string& data, const std::string& more, int code,
                         const std::string& words) {
    const Outcome o = run(dir, finetune(dir, data, more + " --max-steps 1"));
    CAPTURE(more);
    CAPTURE(o.text);
    CHECK(o.code == code);
    CHECK(o.says(words));
  };
  const std::string words = " --verbalizer yes=good,no=bad";
  fails("train.tsv", "--template '{text} .'" + words, 1, "has no [MASK]");
  fails("train.tsv", words, 1, "needs a --template with a [MASK]");
  fails("train.tsv", "--template '{txt} [MASK]'" + words, 1,
        "train.tsv:1: the template's slot {txt} is not known for this data");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=goodly,no=bad", 1,
        "the word of the label 'yes', 'goodly' is 2 tokens (good, ##ly)");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=!,no=bad", 1,
        "'!' is unknown to the tokenizer");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=good,no=good", 1,
        "have one word, 'good'");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=good", 1,
        "no word for the label 'no'");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=good,no=bad,maybe=fine", 1,
        "the label 'maybe', which does not occur");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes:good", 2, "nor label=word");
  test::write_file(dir / "words.json", "{\"yes\": 1}");
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer " + (dir / "words.json").string(), 2,
        "the word of 'yes' is number");
  fails("train.tsv", "--template '[P] {text} [MASK]'" + words, 1,
        "1 virtual tokens ([P]), which --method lora does not train");
  fails("train.tsv", "--template '[P]*40 {text} [MASK]' --method ptuning" + words, 1,
        "train.tsv:1: the example has 49 tokens");
  fails("train.tsv", "--template '{text} [MASK]' --max-length 4" + words, 1,
        "train.tsv:1: the example has");
  fails("train.tsv", "--mlm-probability 0.2", 1, "--mlm-probability has no use for");
  fails("train.tsv", "--tfew", 1, "--unlikelihood has no use for");
  fails("text.txt", "--template '{text} [MASK]'", 1, "--template has no use for");
  fails("text.txt", "--mask-replace-prob 0.9 --random-replace-prob 0.2", 1, "are above 1");
  fails("facts.jsonl", "", 1, "no answer is a single token");
  fails("plain.jsonl", "", 1, "plain.jsonl:1: the text holds the mask 0 times");
  // A base without the head of a masked language model.
  test::make_bert_folder(dir);
  fails("train.tsv", "--template '{text} [MASK]' --verbalizer yes=a,no=b", 1, "is missing");
  // Words as files.
  make_mlm_folder(dir);
  test::write_file(dir / "words.tsv", "yes\tgood\nno\tbad\n");
  const Outcome o = run(dir, finetune(dir, "train.tsv",
                                      "--max-steps 1 --template '{text} [MASK]' --verbalizer " +
                                          (dir / "words.tsv").string()));
  CAPTURE(o.text);
  CHECK(o.code == 0);
}

}  // namespace
}  // namespace lk
