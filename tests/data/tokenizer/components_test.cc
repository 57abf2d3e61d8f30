// Every component against what Hugging Face's tokenizers make of odd texts
// (vectors/components.json).
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

using Json = nlohmann::json;

Tokenizer build(const Json& vectors, const Json& test) {
  Json added = {{{"id", 0}, {"content", "<unk>"}, {"special", true}, {"normalized", false}}};
  if (test.contains("added")) added.insert(added.end(), test["added"].begin(), test["added"].end());
  Json document = {{"added_tokens", added},
                   {"model", vectors["models"][test["model"].get<std::string>()]}};
  for (const char* field :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation"})
    if (test.contains(field)) document[field] = test[field];
  return Tokenizer::from_json(document.dump(), "a test case");
}

// How many texts come out otherwise than in the reference.
int wrong_texts(const Tokenizer& tokenizer, const Json& test) {
  int wrong = 0;
  for (const auto& row : test["texts"]) {
    const auto ids = row[1].get<std::vector<TokenId>>();
    bool same = tokenizer.encode(row[0].get<std::string>()) == ids;
    if (row.size() == 4)
      same =
          same && tokenizer.decode(ids, true) == row[2] && tokenizer.decode(ids, false) == row[3];
    if (!same && wrong++ == 0) MESSAGE("text ", row[0].dump());
  }
  return wrong;
}

int wrong_pairs(const Tokenizer& tokenizer, const Json& test) {
  int wrong = 0;
  for (const auto& row : test["pairs"]) {
    const std::string a = row[0], b = row[1];
    const auto encode = [&] {
      return tokenizer.truncation() ? tokenizer.encode_truncated(a, b, *tokenizer.truncation())
                                    : tokenizer.encode_pair(a, b);
    };
    bool same = false;
    if (row[2].is_null()) {
      CHECK_THROWS_AS(encode(), Error);
      continue;
    }
    const Encoding e = encode();
    same = e.ids == row[2].get<std::vector<TokenId>>() &&
           e.type_ids == row[3].get<std::vector<int32_t>>();
    if (!same && wrong++ == 0) MESSAGE("texts ", row[0].dump(), " ", row[1].dump());
  }
  return wrong;
}

TEST_CASE("tokenizer components: exact on odd texts") {
  std::ifstream in("tests/data/tokenizer/vectors/components.json");
  const Json vectors = Json::parse(in);
  for (const auto& test : vectors["cases"]) {
    Json shown = test;
    shown.erase("texts");
    shown.erase("pairs");
    CAPTURE(shown.dump());
    const Tokenizer tokenizer = build(vectors, test);
    if (test.contains("texts")) CHECK(wrong_texts(tokenizer, test) == 0);
    if (test.contains("pairs")) CHECK(wrong_pairs(tokenizer, test) == 0);
  }
  CHECK(vectors["cases"].size() > 180);
}

TEST_CASE("tokenizer components: an unknown type names file and field") {
  const auto message = [](const char* field, const char* value) {
    return test::error_of([&] {
      Tokenizer::from_json(std::string(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},")") +
                               field + "\":" + value + "}",
                           "x/tokenizer.json");
    });
  };
  for (const char* field : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const std::string text = message(field, R"({"type":"Fancy"})");
    CAPTURE(text);
    CHECK(text.find("x/tokenizer.json") == 0);
    CHECK(text.find(field) != text.npos);
    CHECK(text.find("\"Fancy\"") != text.npos);
  }
  const std::string nested = message(
      "normalizer", R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Fancy"}]})");
  CHECK(nested.find("normalizer.normalizers[1]") != nested.npos);
  CHECK(message("model2\":0,\"decoder", R"({"type":"Strip","content":" ","start":-1,"stop":0})")
            .find("decoder.start: found -1") != std::string::npos);
  CHECK(
      message("pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"})")
          .find("pre_tokenizer.pattern.Regex: the regular expression (") != std::string::npos);
  CHECK(message("pre_tokenizer", R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"Odd"})")
            .find("unsupported behavior \"Odd\"") != std::string::npos);
  CHECK(message("normalizer", R"({"type":"Precompiled","precompiled_charsmap":"AAAA"})")
            .find("the map has 3 bytes") != std::string::npos);
  CHECK(message("normalizer", R"({"type":"Precompiled","precompiled_charsmap":"/////w=="})")
            .find("the trie says it has 4294967295 bytes") != std::string::npos);
  std::string deep = R"({"type":"NFC"})";
  for (int i = 0; i < 20; ++i) deep = R"({"type":"Sequence","normalizers":[)" + deep + "]}";
  CHECK(message("normalizer", deep.c_str()).find("nested too deeply") != std::string::npos);
}

}  // namespace
}  // namespace lk
