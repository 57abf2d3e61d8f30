// A tokenizer.json made to take time or memory without end: an Error that names the component.
#include <doctest/doctest.h>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += (i > 0 ? "," : "") + piece;
  return out;
}

Tokenizer with(const std::string& fields) {
  return Tokenizer::from_json(
      R"({"model":{"type":"BPE","unk_token":"a","merges":[],"vocab":{"a":0,"é":1}},)" + fields +
          "}",
      "t");
}

std::string sequence(const std::string& list, const std::string& item, size_t count) {
  return R"({"type":"Sequence",")" + list + "\":[" + repeated(item, count) + "]}";
}

TEST_CASE("tokenizers: components whose text grows from one to the next") {
  const std::string bytes = R"({"type":"ByteLevel"})",
                    twice = R"({"type":"Replace","pattern":{"String":"é"},"content":"éé"})",
                    large = R"({"type":"Replace","pattern":{"String":"é"},"content":")" +
                            std::string(100000, 'x') + "\"}";
  for (const std::string& item : {bytes, twice}) {
    const Tokenizer t = with("\"normalizer\":" + sequence("normalizers", item, 60));
    CHECK(test::error_of([&] { t.encode("éa"); }).find("the normalizer of the tokenizer makes") !=
          std::string::npos);
    CHECK(t.encode("a") == std::vector<TokenId>{0});
  }
  CHECK_THROWS_AS(with("\"normalizer\":" + large).encode("ééééééé"), Error);
  const Tokenizer doubling = with("\"decoder\":" + sequence("decoders", twice, 60));
  CHECK(test::error_of([&] {
          doubling.decode(std::vector<TokenId>{1, 1});
        }).find("the decoder of the tokenizer makes") != std::string::npos);
  CHECK_THROWS_AS(with("\"decoder\":" + large).decode(std::vector<TokenId>{1, 1, 1}), Error);
  CHECK(test::error_of([&] {
          with("\"pre_tokenizer\":" + sequence("pretokenizers", bytes, 60));
        }).find("a third ByteLevel") != std::string::npos);
}

TEST_CASE("tokenizers: more components than can call each other") {
  const std::string split = R"({"type":"WhitespaceSplit"})", nfc = R"({"type":"NFC"})",
                    fuse = R"({"type":"Fuse"})";
  const struct {
    std::string field, list, item;
  } cases[] = {{"pre_tokenizer", "pretokenizers", split},
               {"normalizer", "normalizers", nfc},
               {"decoder", "decoders", fuse}};
  for (const auto& c : cases) {
    const auto load = [&](const std::string& value) { with("\"" + c.field + "\":" + value); };
    CHECK(test::error_of([&] {
            load(sequence(c.list, c.item, 100000));
          }).find("more than 64 components") != std::string::npos);
    std::string nested = c.item;
    for (int i = 0; i < 9; ++i) nested = sequence(c.list, nested, 1);
    CHECK(test::error_of([&] { load(nested); }).find("nested too deeply") != std::string::npos);
    load(sequence(c.list, sequence(c.list, c.item, 20), 3));
  }
}

TEST_CASE("tokenizers: tokens that are white space and take what follows") {
  const Tokenizer t = with(
      R"("added_tokens":[{"id":2,"content":" ","rstrip":true},{"id":3,"content":"x","rstrip":true}])");
  CHECK(t.encode("x") == std::vector<TokenId>{3});
  CHECK(t.encode(std::string(300000, ' ')).size() == 300000);  // as the reference counts them
}

}  // namespace
}  // namespace lk
