// Ids and texts exactly as the tokenizers library gives them.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tokenizer/bpe_trainer.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

// Lines of NAME.jsonl that agree, and how many there are. The first difference is reported.
void check_lines(const std::filesystem::path& folder, const std::string& name) {
  CAPTURE(name);
  const Tokenizer tokenizer = Tokenizer::load(folder / (name + ".tokenizer.json"));
  std::ifstream in(folder / (name + ".jsonl"));
  int64_t lines = 0, wrong = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto j = nlohmann::json::parse(line);
    const auto ids = j["ids"].get<std::vector<TokenId>>();
    bool same = tokenizer.encode(j["text"].get<std::string>(), true) == ids;
    same = same && tokenizer.encode(j["text"].get<std::string>(), false) ==
                       j["ids_no_special"].get<std::vector<TokenId>>();
    same = same && tokenizer.decode(ids, true) == j["decoded"].get<std::string>();
    same = same && tokenizer.decode(ids, false) == j["decoded_with_special"].get<std::string>();
    if (j.contains("pair")) {
      const Encoding pair =
          tokenizer.encode_pair(j["text"].get<std::string>(), j["pair"].get<std::string>(), true);
      same = same && pair.ids == j["pair_ids"].get<std::vector<TokenId>>() &&
             pair.type_ids == j["pair_types"].get<std::vector<int32_t>>();
    }
    if (!same && wrong++ == 0) MESSAGE("first difference in line ", lines + 1);
  }
  CHECK(lines > 50);
  CHECK(wrong == 0);
}

TEST_CASE("tokenizers: the reference's lines, exact") {
  for (const char* name : {"wordpiece-trained", "llama3-bpe", "qwen-bpe-nfc", "roberta-bpe",
                           "llama2-byte-fallback", "unigram"})
    check_lines("tests/oracle/tokenizers", name);
}

TEST_CASE("tokenizers: what is trained, is saved and read again") {
  const test::TempDir dir;
  test::write_file(dir / "text",
                   std::string("the cat sat on the mat. the cats sat on the mats.\n"));
  const std::filesystem::path files[] = {dir / "text"};
  BpeTrainOptions options;
  options.vocab_size = 280;
  const Tokenizer trained = train_byte_level_bpe_from_files(files, options);
  trained.save(dir / "tokenizer.json");
  const Tokenizer read = Tokenizer::load(dir.path());
  const std::string text = "the mats sat, \xF0\x9F\x90\x88!";
  CHECK(read.encode(text) == trained.encode(text));
  CHECK(read.decode(read.encode(text)) == text);
  CHECK(read.encode("the").size() == 1);
  CHECK(read.token_id("<|endoftext|>") == 0);
}

TEST_CASE("tokenizers: broken files are named") {
  const test::TempDir dir;
  const auto fails = [&](const std::string& text) {
    test::write_file(dir / "tokenizer.json", text);
    CHECK(test::error_of([&] { Tokenizer::load(dir / "tokenizer.json"); }).find("tokenizer.json") !=
          std::string::npos);
  };
  fails("{");
  fails("{}");
  fails(R"({"model":{"type":"Nonsense"}})");
  fails(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})");
  fails(R"({"model":{"type":"BPE","vocab":{"a":-5},"merges":[]}})");
  CHECK_THROWS_AS(Tokenizer::load(dir / "gone"), Error);
}

}  // namespace
}  // namespace lk
