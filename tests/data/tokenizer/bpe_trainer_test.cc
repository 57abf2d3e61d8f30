#include "data/tokenizer/bpe_trainer.h"

#include <doctest/doctest.h>

#include "tests/support.h"

namespace lk {
namespace {

const std::string kText =
    "the cat sat on the mat. the cats sat on the mats.\nthat cat's hat: 12 hats, 123 cats!\n"
    "caf\u00e9 caf\u00e9s \u4e00\u4e01\n";

BpeTrainOptions options_with(int64_t vocab_size) {
  BpeTrainOptions options;
  options.vocab_size = vocab_size;
  return options;
}

Tokenizer train(const std::string& text, const BpeTrainOptions& options) {
  return train_byte_level_bpe(std::span(&text, 1), options);
}

// What BpeTrainer of tokenizers 0.22 learns from kText, in order.
TEST_CASE("bpe trainer: the merges of the reference") {
  const Tokenizer t = train(kText, options_with(285));
  const std::vector<std::string> learnt = {
      "at",           "th",           "\u0120c",   "ats",        "the",
      "\u0120the",    "12",           "af",        "on",         "sat",
      "\u00c3\u00a9", "\u00e4\u00b8", "\u0120h",   "\u0120m",    "\u012012",
      "\u0120on",     "\u0120sat",    "\u0120cat", "\u0120cats", "af\u00c3\u00a9"};
  CHECK(t.vocab_size() == 257 + static_cast<int64_t>(learnt.size()));
  for (size_t i = 0; i < learnt.size(); ++i)
    CHECK(t.token(static_cast<TokenId>(257 + i)) == learnt[i]);
  CHECK(t.token(0) == "<|endoftext|>");
  CHECK(t.token(1) == "!");
  CHECK(t.token(256) == "\u0143");
}

TEST_CASE("bpe trainer: what is trained is saved, read again, and gives every text back") {
  const test::TempDir dir;
  test::write_file(dir / "text", kText);
  const std::filesystem::path files[] = {dir / "text"};
  for (const auto pattern : {kGpt2Pattern, kLlama3Pattern}) {
    BpeTrainOptions options = options_with(280);
    options.pattern = pattern;
    options.special_tokens = {"<|endoftext|>", "<|pad \"x\"|>"};
    const Tokenizer trained = train_byte_level_bpe_from_files(files, options);
    trained.save(dir / "tokenizer.json");
    const Tokenizer read = Tokenizer::load(dir.path());
    std::string text = "the mats sat, \xF0\x9F\x90\x88! 12345 ";
    for (int byte = 0; byte < 128; ++byte) text += static_cast<char>(byte);
    CHECK(read.encode(text) == trained.encode(text));
    CHECK(read.decode(read.encode(text)) == text);
    CHECK(read.encode("the").size() == 1);
    CHECK(read.token_id("<|pad \"x\"|>") == 1);
    CHECK(read.encode("a<|endoftext|>").back() == 0);
    CHECK(read.is_special(0));
    CHECK(read.decode(std::vector<TokenId>{0}, true).empty());
    CHECK(read.kind() == "BPE");
  }
}

TEST_CASE("bpe trainer: stops at min_frequency") {
  BpeTrainOptions options = options_with(1000);
  options.min_frequency = 3;
  const Tokenizer t = train("ab ab ab cd cd", options);
  CHECK(t.token_id("ab").has_value());
  CHECK(!t.token_id("cd").has_value());
  CHECK(t.vocab_size() < 1000);
}

TEST_CASE("bpe trainer: malformed text counts as U+FFFD, and long words are no trouble") {
  std::string text = "\xFF\xFE ";
  for (int i = 0; i < 20000; ++i) text += static_cast<char>('a' + i % 7 * i % 5);
  const Tokenizer t = train(text, options_with(300));
  CHECK(t.vocab_size() > 270);
  CHECK(t.decode(t.encode(text)) == "\xEF\xBF\xBD\xEF\xBF\xBD" + text.substr(2));
}

TEST_CASE("bpe trainer: bad options") {
  const auto error = [&](const BpeTrainOptions& options, const std::string& text = kText) {
    return test::error_of([&] { train(text, options); });
  };
  CHECK(error(options_with(256)).find("vocab_size is 256, expected from 257") != std::string::npos);
  CHECK(error(options_with(int64_t{1} << 40)).find("vocab_size is") != std::string::npos);
  CHECK(error(options_with(300), "").find("no text") != std::string::npos);
  BpeTrainOptions options = options_with(300);
  options.special_tokens = {"<a>", "<a>"};
  CHECK(error(options).find("stands twice") != std::string::npos);
  options.special_tokens = {""};
  CHECK(error(options).find("is empty") != std::string::npos);
  options.special_tokens = {};
  options.pattern = "(";
  CHECK(error(options).find("the training options") != std::string::npos);
  CHECK_THROWS_AS(train_byte_level_bpe_from_files(
                      std::vector<std::filesystem::path>{"no/such/file"}, options_with(300)),
                  Error);
}

}  // namespace
}  // namespace lk
