#include "data/tokenizer/unicode.h"

#include <doctest/doctest.h>

#include <string>

namespace lk::unicode {
namespace {

// FNV-1a.
struct Hash {
  uint64_t value = 0xcbf29ce484222325;
  void byte(unsigned char b) { value = (value ^ b) * 0x100000001b3; }
  void text(std::string_view t) {
    for (const char c : t) byte(static_cast<unsigned char>(c));
  }
};

template <class F>
void for_all(F&& f) {
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xD800 || c > 0xDFFF) f(c);
}

uint64_t hash_of_set(bool (*holds)(char32_t)) {
  Hash h;
  for_all([&](char32_t c) {
    if (holds(c))
      for (int i = 0; i < 4; ++i) h.byte(static_cast<unsigned char>(c >> 8 * i));
  });
  return h.value;
}

// The sets of code points that tokenizers 0.22 shows when it is asked for each one.
TEST_CASE("unicode: properties of all code points as in the reference") {
  CHECK(hash_of_set(is_letter) == 0xf41bf72239455b4f);
  CHECK(hash_of_set(is_number) == 0xd15586ee8a145a41);
  CHECK(hash_of_set(is_white_space) == 0x7db14e6e1f1a2f5);
  CHECK(hash_of_set(is_word) == 0x156e6c7c1c2c0c26);
  CHECK(hash_of_set(is_digit) == 0xa1b06be6929373bb);
  CHECK(hash_of_set(is_accent) == 0xe90447decf2e1c5);
  CHECK(hash_of_set(is_bert_accent) == 0xbb1b649f88147b1f);
  CHECK(hash_of_set(is_bert_punctuation) == 0x44cc3f6f89dbdb6f);
  CHECK(hash_of_set([](char32_t c) {
          return is_bert_control(c) && c != '\t' && c != '\n' && c != '\r';
        }) == 0xc2bd414d1c1eb542);
}

TEST_CASE("unicode: normal forms and lower case of all code points as in the reference") {
  const auto hash = [](auto&& f) {
    Hash h;
    for_all([&](char32_t c) {
      std::string in, out;
      append(in, c);
      f(c, in, out);
      if (c > 0) h.byte('\n');
      h.text(out);
    });
    return h.value;
  };
  const auto form = [&](Form f) {
    return hash(
        [f](char32_t, const std::string& in, std::string& out) { out = normal_form(in, f); });
  };
  CHECK(form(Form::kNfc) == 0x81bcc8b8d7c91af9);
  CHECK(form(Form::kNfd) == 0xfb4e83e043426b6d);
  CHECK(form(Form::kNfkc) == 0x7d5f0a16b7105891);
  CHECK(form(Form::kNfkd) == 0xd811ada8b0957d1a);
  CHECK(hash([](char32_t c, const std::string&, std::string& out) { append_lowercase(out, c); }) ==
        0x850f07734aa9625e);
}

TEST_CASE("unicode: malformed UTF-8 becomes U+FFFD, one for each maximal part") {
  const std::string r = "\xEF\xBF\xBD";
  const auto check = [&](std::string_view bad, const std::string& good) {
    CAPTURE(good);
    CHECK(!is_valid(bad));
    CHECK(replace_invalid(bad) == good);
    CHECK(is_valid(good));
  };
  check("a\x80z", "a" + r + "z");
  check("\xC0\xAF", r + r);                  // overlong
  check("\xE0\x80\xAF", r + r + r);          // overlong
  check("\xED\xA0\x80", r + r + r);          // a surrogate
  check("\xF4\x90\x80\x80", r + r + r + r);  // above U+10FFFF
  check("\xF0\x9F\x98", r);                  // cut off at the end
  check("\xF0\x9F\x98x\xE2\x82", r + "x" + r);
  check("\xFF\xFE", r + r);
  CHECK(is_valid(std::string_view("\0a", 2)));
  CHECK(is_valid("12345678\xC3\xA9 12345678 \xF0\x9F\x98\x80"));
  CHECK(!is_valid("1234567812345678\x80"));
}

TEST_CASE("unicode: a long run of combining marks is sorted quickly") {
  std::string text = "a";
  for (int i = 0; i < 200000; ++i) append(text, i % 2 ? 0x301 : 0x327);
  const std::string out = normal_form(text, Form::kNfd);
  CHECK(out.size() == text.size());
  CHECK(decode_at(out, 1).value == 0x327);
  CHECK(decode_at(out, out.size() - 2).value == 0x301);
}

TEST_CASE("unicode: graphemes") {
  CHECK(grapheme_length("e\xCC\x81x", 0) == 3);
  CHECK(grapheme_length("\r\nx", 0) == 2);
  CHECK(grapheme_length("ab", 1) == 1);
}

}  // namespace
}  // namespace lk::unicode
