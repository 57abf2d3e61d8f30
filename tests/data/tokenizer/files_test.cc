#include "data/tokenizer/files.h"

#include <doctest/doctest.h>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

using Ids = std::vector<TokenId>;

TEST_CASE("tokenizer files: tokenizer.json by file and by folder, saved byte for byte") {
  const test::TempDir dir;
  const std::string json =
      "{\n \"model\" : {\"type\":\"BPE\", \"vocab\":{\"a\":0}, \"merges\":[]} }\n";
  test::write_file(dir / "tokenizer.json", json);
  Tokenizer::load(dir.path()).save(dir / "copy.json");
  CHECK(test::read_file(dir / "copy.json") == json);
  CHECK(Tokenizer::load(dir / "copy.json").encode("aa") == Ids{0, 0});
}

TEST_CASE("tokenizer files: vocab.json and merges.txt, GPT-2 and RoBERTa") {
  const test::TempDir dir;
  test::write_file(dir / "merges.txt", "#version: 0.2\na b\r\n\nab \xC4\xA0\n");
  test::write_file(dir / "vocab.json",
                   R"({"a":0,"b":1,"ab":2,"\u0120":3,"ab\u0120":4,"<|endoftext|>":5})");
  const Tokenizer gpt2 = Tokenizer::load(dir.path());
  CHECK(gpt2.encode("ab a<|endoftext|>") == Ids{2, 3, 0, 5});
  CHECK(gpt2.decode(Ids{2, 3, 0, 5}) == "ab a");
  CHECK(gpt2.special_tokens_added(false) == 0);
  test::write_file(dir / "vocab.json",
                   R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4,"b":5,"ab":6,"\u0120":7,)"
                   R"("ab\u0120":8,"<mask>":9})");
  const Tokenizer roberta = Tokenizer::load(dir.path());
  CHECK(roberta.encode("ab <mask>") == Ids{0, 6, 9, 2});
  CHECK(roberta.encode_pair("a", "b").ids == Ids{0, 4, 2, 2, 5, 2});
  roberta.save(dir / "tokenizer.json");
  CHECK(Tokenizer::load(dir.path()).encode("ab <mask>") == Ids{0, 6, 9, 2});
}

TEST_CASE("tokenizer files: vocab.txt") {
  const test::TempDir dir;
  test::write_file(dir / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhe\n##llo\nHe\n");
  const Tokenizer uncased = Tokenizer::load(dir.path());
  CHECK(uncased.kind() == "WordPiece");
  CHECK(uncased.encode("Hello x [MASK]") == Ids{2, 5, 6, 1, 4, 3});
  CHECK(uncased.encode_pair("he", "he").type_ids == std::vector<int32_t>{0, 0, 0, 1, 1});
  test::write_file(dir / "tokenizer_config.json", R"({"do_lower_case":false})");
  CHECK(Tokenizer::load(dir.path()).encode("Hello") == Ids{2, 7, 6, 3});
  test::write_file(dir / "tokenizer_config.json", R"({"do_lower_case":0})");
  CHECK(test::error_of([&] {
          Tokenizer::load(dir.path());
        }).find("tokenizer_config.json: field do_lower_case: found number") != std::string::npos);
}

TEST_CASE("tokenizer files: missing and broken ones are named") {
  const test::TempDir dir;
  const auto error = [&] { return test::error_of([&] { Tokenizer::load(dir.path()); }); };
  CHECK(error().find("no tokenizer here; expected tokenizer.json") != std::string::npos);
  CHECK(test::error_of([&] { Tokenizer::load(dir / "gone.json"); }).find("gone.json") !=
        std::string::npos);
  test::write_file(dir / "vocab.txt", "a\nb\n");
  CHECK(error().find("vocab.txt: the token [UNK] is missing") != std::string::npos);
  test::write_file(dir / "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n\xFF\n");
  CHECK(error().find("vocab.txt: is not UTF-8") != std::string::npos);
  test::write_file(dir / "vocab.json", "[1]");
  test::write_file(dir / "merges.txt", "");
  CHECK(error().find("vocab.json: expected an object") != std::string::npos);
  test::write_file(dir / "vocab.json", "{\"a\":0}");
  test::write_file(dir / "merges.txt", "a\n");
  CHECK(error().find("model.merges: entry 0") != std::string::npos);
  test::write_file(dir / "tokenizer.json", "");
  CHECK(error().find("tokenizer.json: the file is empty") != std::string::npos);
}

}  // namespace
}  // namespace lk
