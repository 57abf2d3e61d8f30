#include <doctest/doctest.h>

#include <string>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

std::string error_of_json(const std::string& json) {
  return test::error_of([&] { Tokenizer::from_json(json, "dir/tokenizer.json"); });
}

void names(const std::string& json, const std::string& words) {
  const std::string message = error_of_json(json);
  CAPTURE(json);
  CAPTURE(message);
  CHECK(message.find("dir/tokenizer.json") == 0);
  CHECK(message.find(words) != message.npos);
}

std::string bpe(const std::string& vocab, const std::string& merges, const std::string& more = "") {
  return R"({"model":{"type":"BPE","vocab":)" + vocab + R"(,"merges":)" + merges + more + "}}";
}

const std::string kGood = R"({"added_tokens":[{"id":3,"content":"<s>","special":true}],)"
                          R"("normalizer":null,"pre_tokenizer":{"type":"Whitespace"},)"
                          R"("model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1,"ab":2},)"
                          R"("merges":["a b"]}})";

TEST_CASE("tokenizer.json: every truncation is an error that says so") {
  CHECK(Tokenizer::from_json(kGood, "x").encode("ab a<s>") == std::vector<TokenId>{2, 0, 3});
  for (size_t length = 0; length < kGood.size(); ++length) {
    const std::string message = error_of_json(kGood.substr(0, length));
    CAPTURE(length);
    CAPTURE(message);
    CHECK((message.find("truncated") != message.npos || length == 0));
    if (length == 0) CHECK(message.find("the file is empty") != message.npos);
  }
}

TEST_CASE("tokenizer.json: every changed byte is read or refused, never a crash") {
  int refused = 0;
  for (size_t at = 0; at < kGood.size(); ++at)
    for (const char c : {'\0', '"', '{', '}', '[', ']', ',', ':', '-', '9', 'x', '\\', '\xFF'}) {
      std::string json = kGood;
      json[at] = c;
      try {
        Tokenizer::from_json(json, "x").encode("ab a<s> \xC3\xA9");
      } catch (const Error&) {
        ++refused;
      }
    }
  CHECK(refused > 1000);
}

TEST_CASE("tokenizer.json: not JSON, too deep, doubled keys") {
  names("nonsense", "not valid JSON at byte");
  names("\xEF\xBB\xBF", "not valid JSON");
  names("{\"a\":\"\xFF\"}", "not valid JSON");
  names(std::string(100000, '['), "nested more than 100 deep");
  names(R"({"a":1,"a":2})", "the key \"a\" stands twice");
  names(R"({"model":{"type":"BPE","vocab":{},"vocab":{}}})", "the key \"vocab\" stands twice");
  names("[]", "found array, expected an object");
  names("7", "found number, expected an object");
  names("{}", "the member \"model\" is missing");
  names(R"({"model":null})", "the member \"model\" is missing");
  names(R"({"model":[]})", "field model: found array, expected an object");
  names(R"({"model":{"type":"Nonsense"}})", "unsupported model type \"Nonsense\"");
  names(R"({"model":{"type":7}})", "field model.type: found number, expected a string");
}

TEST_CASE("tokenizer.json: vocabularies and merges that cannot be") {
  names(R"({"model":{"type":"BPE","merges":[]}})",
        "\"vocab\", an object of token to id, is missing");
  names(R"({"model":{"type":"BPE","vocab":{"a":0}}})", "\"merges\" is missing");
  names(bpe(R"({"a":-1})", "[]"), "token \"a\" has the id -1");
  names(bpe(R"({"a":0,"b":99999999999999999999})", "[]"), "field model.vocab");
  names(bpe(R"({"a":0,"b":9223372036854775808})", "[]"),
        "token \"b\" has the id 92233720368547758");
  names(bpe(R"({"a":0,"b":2147483647})", "[]"), "token \"b\" has the id 2147483647");
  names(bpe(R"({"a":0,"b":0})", "[]"), "tokens \"a\" and \"b\" have the same id 0");
  names(bpe(R"({"a":0,"a":1})", "[]"), "token \"a\" stands twice");
  names(bpe(R"({"a":0.5})", "[]"), "field model.vocab: expected an object of token to id");
  names(bpe(R"({"a":"0"})", "[]"), "entry 0 (\"a\")");
  names(bpe(R"({"a":{}})", "[]"), "entry 0 (\"a\")");
  names(bpe("7", "[]"), "field model.vocab");
  names(bpe(R"([["a",0.5]])", "[]"), "an object of token to id, is missing");
  names(bpe(R"({"a":0,"b":1})", R"(["a b"])"), "joins \"a\" and \"b\", but \"ab\" is not");
  names(bpe(R"({"a":0,"b":1})", R"([["a","c"]])"), "but \"c\" is not in the vocabulary");
  for (const char* merges : {R"(["ab"])", R"(["a b c"])", R"([["a"]])", R"([["a","b","c"]])", "[7]",
                             R"([[["a"]]])", R"({"a":"b"})", R"("a b")"})
    names(bpe(R"({"a":0,"b":1,"ab":2})", merges), "field model.merges: entry 0 is not");
  names(bpe(R"({"a":0})", "[]", R"(,"dropout":0.1)"), "dropout 0.1");
  names(bpe(R"({"a":0})", "[]", R"(,"fuse_unk":1)"), "field model.fuse_unk: found number");
  names(bpe(R"({"a":0,"#b":1})", R"(["a b"])", R"(,"continuing_subword_prefix":"###")"),
        "shorter than continuing_subword_prefix");
  const std::string unigram = R"({"model":{"type":"Unigram","unk_id":)";
  names(unigram + R"(1,"vocab":[["a",0]]}})", "field model.unk_id: found 1, expected an integer");
  names(unigram + R"(0,"vocab":[]}})", "expected at least one");
  names(unigram + R"(0,"vocab":[["a"]]}})", "field model.vocab");
  names(unigram + R"(0,"vocab":[["a",0,1]]}})", "field model.vocab");
  names(unigram + R"(0,"vocab":[[0,"a"]]}})", "field model.vocab");
  names(unigram + R"(0,"vocab":["a"]}})", "field model.vocab");
  names(unigram + R"(0,"vocab":[["a",1e999]]}})", "");
}

TEST_CASE("tokenizer.json: added tokens that contradict the vocabulary or each other") {
  const auto with = [](const std::string& added) {
    return R"({"added_tokens":[)" + added + R"(],"model":{"type":"BPE","vocab":{"a":0,"b":4},)" +
           R"("merges":[]}})";
  };
  names(with(R"({"id":7,"content":"a"})"),
        "\"a\" has the id 7, expected 0, its id in the vocabulary");
  names(with(R"({"id":9,"content":"x"})"), "\"x\" has the id 9, expected 2, the next free one");
  names(with(R"({"id":2147483648,"content":"x"})"), "field added_tokens[0].id: found 2147483648");
  names(with(R"({"id":-1,"content":"x"})"), "field added_tokens[0].id: found -1");
  names(with(R"({"id":2,"content":""})"), "the content is empty");
  names(with(R"({"id":2})"), "the member \"content\" is missing");
  names(with(R"({"id":2,"content":"x"},{"id":3,"content":"x"})"), "\"x\" stands twice");
  names(with(R"({"id":2,"content":"x"},{"id":3,"content":"y"},{"id":4,"content":"z"})"),
        "\"z\" has the id 4 of \"b\"");
  names(with("7"), "field added_tokens[0]: found number, expected an object");
}

TEST_CASE("tokenizer.json: post-processors, truncation and padding that cannot be") {
  const auto with = [](const std::string& field) {
    return R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},)" + field + "}";
  };
  const std::string a = R"({"Sequence":{"id":"A","type_id":0}})";
  names(
      with(R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[C]",)"
           R"("type_id":0}}],"pair":[],"special_tokens":{}})"),
      "\"[C]\" is not in special_tokens");
  names(with(R"("post_processor":{"type":"TemplateProcessing","single":[)" + a + R"(],"pair":[)" +
             a + R"(],"special_tokens":{}})"),
        "must use \"A\" and \"B\"");
  names(with(R"("post_processor":{"type":"BertProcessing","sep":["[S]"],"cls":["[C]",1]})"),
        "field post_processor.sep: expected [\"token\", id]");
  names(with(R"("post_processor":{"type":"BertProcessing","sep":["[S]",1]})"),
        "\"cls\" is missing");
  names(with(R"("truncation":{"max_length":-1})"), "field truncation.max_length: found -1");
  names(with(R"("truncation":{"max_length":1,"strategy":"Odd"})"), "field truncation.strategy");
  names(with(R"("padding":{"strategy":"Odd"})"), "field padding.strategy: found \"Odd\"");
  names(with(R"("padding":{"strategy":"BatchLongest","direction":"Up"})"),
        "field padding.direction");
}

}  // namespace
}  // namespace lk
