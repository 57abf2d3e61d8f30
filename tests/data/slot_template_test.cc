#include "data/slot_template.h"

#include <doctest/doctest.h>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

Tokenizer word_tokenizer(const test::TempDir& dir) {
  test::write_file(dir / "vocab.txt",
                   "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\ndog\nsat\nran\n.\n?\n##s\n");
  return Tokenizer::load(dir.path());
}

using Ids = std::vector<int32_t>;

TEST_CASE("slot template: fields, mask and virtual tokens between the special tokens") {
  const test::TempDir dir;
  const Tokenizer t = word_tokenizer(dir);
  const SlotTemplate text("[P]*2 {a} [MASK] [P]{b} .");
  CHECK(text.virtual_tokens() == 3);
  CHECK(text.has_mask());
  const Fields fields{{"a", "the cat"}, {"b", "dogs"}};
  const SlotText s = text.encode(t, fields, "[MASK]");
  // [CLS] P0 P1 the cat [MASK] P2 dog ##s . [SEP]
  CHECK(s.ids == Ids{2, 0, 0, 5, 6, 4, 0, 7, 12, 10, 3});
  CHECK(s.slots == Ids{-1, 0, 1, -1, -1, -1, 2, -1, -1, -1, -1});
  CHECK(s.mask == 5);
  CHECK(s.type_ids == Ids(11, 0));
  CHECK(text.text(fields) == "the cat [MASK] dogs .");
  // Without virtual tokens nothing stands for them.
  const SlotText plain = SlotTemplate("{a} [MASK] .").encode(t, fields, "[MASK]");
  CHECK(plain.ids == Ids{2, 5, 6, 4, 10, 3});
  CHECK(plain.slots.empty());
  // A field may bring the mask.
  const SlotText own = SlotTemplate("{a}").encode(t, {{"a", "the [MASK] ran"}}, "[MASK]");
  CHECK(own.ids == Ids{2, 5, 4, 9, 3});
  CHECK(own.mask == 2);
  // Braces.
  CHECK(SlotTemplate("{{{a}}}").text(fields) == "{the cat}");
}

TEST_CASE("slot template: too long a text gives up the end of its longest field") {
  const test::TempDir dir;
  const Tokenizer t = word_tokenizer(dir);
  const SlotTemplate text("{a} [MASK] {b} [P]");
  const Fields fields{{"a", "the cat sat"}, {"b", "dog dog dog dog dog dog dog dog"}};
  CHECK(text.encode(t, fields, "[MASK]").ids.size() == 15);
  const SlotText cut = text.encode(t, fields, "[MASK]", 9);
  CHECK(cut.ids == Ids{2, 5, 6, 8, 4, 7, 7, 0, 3});
  CHECK(cut.slots.back() == -1);
  CHECK(cut.slots[7] == 0);
  // Both fields are given up in the end.
  CHECK(text.encode(t, fields, "[MASK]", 4).ids == Ids{2, 4, 0, 3});
  CHECK(test::error_of([&] {
          text.encode(t, fields, "[MASK]", 3);
        }).find("has 4 tokens without any text, more than the 3 allowed") != std::string::npos);
}

TEST_CASE("slot template: whether the word in the mask's place has a blank before it") {
  const auto blank = [](const char* text) {
    return SlotTemplate(text).blank_before_mask({{"a", "x"}, {"m", "x [MASK]"}});
  };
  CHECK(blank("{a} [MASK]"));
  CHECK(blank("[P][MASK]"));
  CHECK(!blank("[MASK] {a}"));
  CHECK(!blank("{a}[MASK]"));
  CHECK(!blank("({a} ([MASK])"));
  CHECK(blank("{m}"));
}

TEST_CASE("slot template: what is wrong is named") {
  const test::TempDir dir;
  const Tokenizer t = word_tokenizer(dir);
  const auto says = [&](const std::string& text, const Fields& fields, const std::string& words) {
    const std::string message =
        test::error_of([&] { SlotTemplate(text).encode(t, fields, "[MASK]"); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  says("{a [MASK]", {}, "'{' without '}' at character 1");
  says("a} [MASK]", {}, "'}' without '{' at character 2");
  says("[MASK] [MASK]", {}, "[MASK] twice");
  says("[P]*0 [MASK]", {}, "without a number above 0");
  says("[P]*x [MASK]", {}, "without a number above 0");
  says("", {}, "the template is empty");
  says("the cat", {}, "has no [MASK]");
  says("{a} [MASK]", {{"b", "cat"}}, "slot {a} is not known for this data; there are: {b}");
  says("{a}", {{"a", "the cat"}}, "holds the mask 0 times");
  says("{a} [MASK]", {{"a", "the [MASK]"}}, "holds the mask 2 times");
  test::write_file(dir / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n");
  CHECK(test::error_of([&] { mask_token(Tokenizer::load(dir.path())); }).find("mask") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
