#include "data/tagged.h"

#include <doctest/doctest.h>

#include "tests/support.h"

namespace lk {
namespace {

TEST_CASE("tagged: sentences are read, bad lines named") {
  const test::TempDir dir;
  test::write_file(dir / "a.conll",
                   "\xEF\xBB\xBF"
                   "EU\tB-ORG\r\nacts\tO\n\n\nRome\tB-LOC\n");
  const TaggedData data = read_tagged(dir / "a.conll");
  REQUIRE(data.sentences.size() == 2);
  CHECK(data.sentences[0].tokens == std::vector<std::string>{"EU", "acts"});
  CHECK(data.sentences[1].line == 5);
  CHECK(data.labels() == std::vector<std::string>{"B-LOC", "B-ORG", "O"});
  CHECK(data_kind(dir / "a.conll") == DataKind::tagged);
  const auto fails = [&](const std::string& text, const std::string& words) {
    test::write_file(dir / "x.conll", text);
    const std::string message = test::error_of([&] { read_tagged(dir / "x.conll"); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  fails("a\tO\nb O\n", "x.conll:2: expected token<TAB>tag");
  fails("a\tO\tX\n", "x.conll:1: expected token<TAB>tag");
  fails("\tO\n", "x.conll:1: expected token<TAB>tag");
  fails("\xff\tO\n", "x.conll:1: not valid UTF-8");
  fails("\n\n", "the data set is empty");
}

TEST_CASE("tagged: the first piece of a token carries its tag") {
  const TaggedData data{"d.conll", {{{"unbelievable", "!", "Rome"}, {"O", "O", "B-LOC"}, 4}}};
  const std::vector<std::string> labels{"B-LOC", "O"};
  for (const char* name : {"wordpiece-trained", "roberta-bpe"}) {
    CAPTURE(name);
    const Tokenizer tokenizer =
        Tokenizer::load(std::string("tests/vectors/tokenizers/") + name + ".tokenizer.json");
    const TaggedExample e = encode_tagged(tokenizer, data, data.sentences[0], labels, {});
    REQUIRE(e.pieces_of.size() == 3);
    CHECK(e.pieces_of[0] > 1);
    REQUIRE(e.example.labels.size() == e.example.ids.size());
    CHECK(e.example.labels.front() == -100);  // the special tokens
    CHECK(e.example.labels.back() == -100);
    size_t at = 1;
    for (size_t t = 0; t < 3; ++t)
      for (int64_t p = 0; p < e.pieces_of[t]; ++p)
        CHECK(e.example.labels[at++] == (p > 0 ? -100 : t == 2 ? 0 : 1));
    CHECK(at + 1 == e.example.ids.size());
    // The whole text gives the same ids: words are cut as they are within it.
    if (std::string(name) == "wordpiece-trained")
      CHECK(tokenizer.encode("unbelievable! Rome", true) == e.example.ids);

    EncodeOptions narrow;
    narrow.max_length = e.pieces_of[0] + e.pieces_of[1] + 2;  // and two special tokens
    const std::string message =
        test::error_of([&] { encode_tagged(tokenizer, data, data.sentences[0], labels, narrow); });
    CHECK(message.find("d.conll:4: the sentence has more than") != std::string::npos);
    narrow.truncate = true;
    CHECK(encode_tagged(tokenizer, data, data.sentences[0], labels, narrow).pieces_of.size() == 2);
    const std::string unknown = test::error_of([&] {
      encode_tagged(tokenizer, data, data.sentences[0], {"B-PER", "O"}, {});
    });
    CHECK(unknown.find("d.conll:6: the tag 'B-LOC'") != std::string::npos);
  }
}

// Counted by hand after seqeval's strict mode with IOB2.
TEST_CASE("tagged: entities are right with place and type, an I without its B is none") {
  const TagLists right{{"B-LOC", "I-LOC", "O", "B-PER"}, {"B-ORG", "B-ORG"}};
  const TagLists ours{{"B-LOC", "I-LOC", "O", "B-LOC"}, {"I-ORG", "B-ORG"}};
  const EntityScores e = entity_scores(ours, right);
  CHECK(e.precision == doctest::Approx(2.0 / 3));  // LOC and the second ORG of three
  CHECK(e.recall == doctest::Approx(2.0 / 4));
  CHECK(e.f1 == doctest::Approx(4.0 / 7));
  const EntityScores cut = entity_scores({{"B-LOC", "I-PER"}}, {{"B-LOC", "I-LOC"}});
  CHECK(cut.f1 == 0);
  CHECK(entity_scores(right, right).f1 == 1);
  CHECK(entity_scores({{"O"}}, {{"O"}}).f1 == 0);
  CHECK(has_entities({"B-LOC", "O"}));
  CHECK(!has_entities({"NOUN", "VERB"}));
}

}  // namespace
}  // namespace lk
