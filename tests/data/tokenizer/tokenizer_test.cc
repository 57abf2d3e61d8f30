#include "data/tokenizer/tokenizer.h"

#include <doctest/doctest.h>

#include <thread>

#include "data/tokenizer/bpe_trainer.h"
#include "tests/support.h"

namespace lk {
namespace {

using Ids = std::vector<TokenId>;

Tokenizer from(const std::string& model, const std::string& more = "") {
  return Tokenizer::from_json("{\"model\":" + model + more + "}", "a test");
}

const std::string kLlama =
    R"({"type":"BPE","unk_token":"<unk>","fuse_unk":true,"vocab":{"<unk>":0,"▁":1,"a":2,"b":3,)"
    R"("ab":4,"▁ab":5,"▁▁":6,"<0xC3>":7,"<0xA9>":8},"byte_fallback":true,)"
    R"("merges":[["a","b"],["▁","ab"],["▁","▁"]]})";

TEST_CASE("tokenizer: tokens, ids and sizes") {
  const Tokenizer t = from(kLlama, R"(,"added_tokens":[{"id":0,"content":"<unk>","special":true},)"
                                   R"({"id":9,"content":"<pad>","special":true}])");
  CHECK(t.vocab_size() == 10);
  CHECK(t.token_id("▁ab") == 5);
  CHECK(t.token_id("<pad>") == 9);
  CHECK(!t.token_id("nothing").has_value());
  CHECK(t.token(9) == "<pad>");
  CHECK(t.is_special(9));
  CHECK(!t.is_special(5));
  CHECK(!t.is_special(-1));
  CHECK(test::error_of([&] { t.token(10); }).find("no token of id 10") != std::string::npos);
  CHECK_THROWS_AS(t.token(-1), Error);
  // Without a decoder tokens are parted by blanks; ids without a token are passed over.
  CHECK(t.decode(Ids{2, 9, 3, 10, -7, 2147483647}) == "a b");
  CHECK(t.decode(Ids{2, 9, 3}, false) == "a <pad> b");
  CHECK(t.encode("").empty());
  CHECK(t.decode({}).empty());
}

TEST_CASE("tokenizer: special tokens that encoding adds") {
  const Tokenizer t = from(kLlama, R"(,"post_processor":{"type":"BertProcessing","sep":["b",3],)"
                                   R"("cls":["a",2]})");
  CHECK(t.special_tokens_added(false) == 2);
  CHECK(t.special_tokens_added(true) == 3);
  CHECK(t.encode("ab") == Ids{2, 4, 3});
  CHECK(t.encode("ab", false) == Ids{4});
  CHECK(t.encode_pair("", "ab").type_ids == std::vector<int32_t>{0, 0, 1, 1});
  CHECK(t.assemble({7, 8}, Ids{9}).ids == Ids{2, 7, 8, 3, 9, 3});
  Truncation cut;
  cut.max_length = 4;
  CHECK(t.encode_truncated("aaaa", std::nullopt, cut).ids == Ids{2, 2, 2, 3});
  cut.side = Side::kLeft;
  CHECK(t.encode_truncated("baab", std::nullopt, cut).ids == Ids{2, 2, 4, 3});
  cut.max_length = 1;
  CHECK(test::error_of([&] {
          t.encode_truncated("a", std::nullopt, cut);
        }).find("max_length is 1, but 2 special tokens") != std::string::npos);
}

TEST_CASE("tokenizer: padding") {
  std::vector<Encoding> rows(3);
  rows[0] = {{5, 6, 7}, {0, 0, 1}};
  rows[1] = {{8}, {0}};
  Padding padding;
  padding.id = 9;
  padding.type_id = 2;
  padding.multiple_of = 4;
  auto right = rows;
  const auto masks = pad(right, padding);
  CHECK(right[0].ids == Ids{5, 6, 7, 9});
  CHECK(right[1].ids == Ids{8, 9, 9, 9});
  CHECK(right[1].type_ids == std::vector<int32_t>{0, 2, 2, 2});
  CHECK(right[2].ids == Ids{9, 9, 9, 9});
  CHECK(masks[0] == std::vector<int32_t>{1, 1, 1, 0});
  padding.side = Side::kLeft;
  padding.multiple_of = 1;
  padding.length = 2;
  CHECK(pad(rows, padding)[1] == std::vector<int32_t>{0, 1});
  CHECK(rows[0].ids == Ids{5, 6, 7});
  CHECK(rows[1].ids == Ids{9, 8});
  const Tokenizer t = from(kLlama, R"(,"padding":{"strategy":{"Fixed":7},"direction":"Left",)"
                                   R"("pad_to_multiple_of":8,"pad_id":3,"pad_type_id":1})");
  CHECK(t.padding()->length == 7);
  CHECK(t.padding()->multiple_of == 8);
  CHECK(!t.truncation().has_value());
  CHECK(t.encode("a") == Ids{2});  // nothing is applied by itself
}

TEST_CASE("tokenizer: malformed UTF-8, NUL, and what is unknown") {
  const Tokenizer t = from(kLlama);
  CHECK(t.encode("a\xFF") == t.encode("a\xEF\xBF\xBD"));
  CHECK(t.encode(std::string_view("a\0b", 3)) == Ids{2, 0, 3});
  CHECK(t.encode("é") == Ids{7, 8});
  CHECK(t.encode("\xED\xA0\x80").size() == 1);  // a lone surrogate: unknown, fused
  const Tokenizer strict =
      from(R"({"type":"WordPiece","unk_token":"<unk>","vocab":{"a":0,"##b":1}})");
  CHECK(strict.encode("ab") == Ids{0, 1});
  CHECK(test::error_of([&] { strict.encode("x"); }).find("unk_token \"<unk>\" is not") !=
        std::string::npos);
  const Tokenizer unigram = from(R"({"type":"Unigram","vocab":[["a",0]]})");
  CHECK(unigram.encode("aa") == Ids{0, 0});
  CHECK(test::error_of([&] { unigram.encode("b"); }).find("no unk_id") != std::string::npos);
}

TEST_CASE("tokenizer: long pieces give what short ones give") {
  // Cut before marks, and by the heap: both must be what merging the whole would be.
  const Tokenizer t = from(kLlama);
  std::string text;
  Ids expected;
  for (int i = 0; i < 30000; ++i) {
    text += i % 3 ? "▁ab" : "▁▁ab";
    if (i % 3 == 0) expected.push_back(1);
    expected.push_back(5);
  }
  // "▁▁ab" is ▁ ▁ab: the pair (▁, ab) was learnt before (▁, ▁).
  CHECK(t.encode(text) == expected);
  const std::string letters(200000, 'a');
  CHECK(t.encode(letters) == Ids(200000, 2));
  const Tokenizer pairs = from(R"({"type":"BPE","vocab":{"a":0,"aa":1,"aaaa":2},)"
                               R"("merges":["a a","aa aa"]})");
  Ids fours(50000, 2);
  fours.push_back(1);
  fours.push_back(0);
  CHECK(pairs.encode(letters + "aaa") == fours);
  CHECK(pairs.encode("aaaaaaa") == Ids{2, 1, 0});
  const Tokenizer unigram =
      from(R"({"type":"Unigram","unk_id":0,"vocab":[["<u>",-9],["a",-1],["aaa",-2]]})");
  CHECK(unigram.encode(letters + "bbb").size() == 200000 / 3 + 2 + 1);
}

TEST_CASE("tokenizer: one tokenizer in several threads") {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "word" + std::to_string(i * 7919 % 1000) + " and ";
  BpeTrainOptions options;
  options.vocab_size = 600;
  const Tokenizer t = train_byte_level_bpe(std::span(&text, 1), options);
  const Ids expected = t.encode(text);
  std::vector<int> same(4);
  std::vector<std::thread> threads;
  for (int& ok : same)
    threads.emplace_back([&t, &text, &expected, &ok] { ok = t.encode(text) == expected; });
  for (auto& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 1));
}

TEST_CASE("tokenizer: more words than the cache holds") {
  std::string text;
  for (int i = 0; i < 150000; ++i) text += " " + std::to_string(i * 48271LL % 2147483647);
  const std::string sample = "12345 678";
  BpeTrainOptions options;
  options.vocab_size = 300;
  const Tokenizer t = train_byte_level_bpe(std::span(&sample, 1), options);
  CHECK(t.decode(t.encode(text)) == text);
  CHECK(t.decode(t.encode(text)) == text);
}

}  // namespace
}  // namespace lk
