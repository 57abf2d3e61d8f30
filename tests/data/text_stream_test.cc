#include "data/text_stream.h"

#include <doctest/doctest.h>
#include <utf8proc.h>

#include "tests/support.h"

namespace lk {
namespace {

Tokenizer byte_level() {
  return Tokenizer::load("tests/vectors/tokenizers/roberta-bpe.tokenizer.json");
}

bool whole_characters(const std::string& s) {
  utf8proc_int32_t code;
  for (size_t at = 0; at < s.size();) {
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(s.data()) + at,
                                    static_cast<utf8proc_ssize_t>(s.size() - at), &code);
    if (n <= 0 || code == 0xFFFD) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

TEST_CASE("text stream: characters that several tokens make come whole") {
  const Tokenizer tokenizer = byte_level();
  const std::string text = "na\xC3\xAFve \xF0\x9F\xA6\x9C and \xE6\xBC\xA2\xE5\xAD\x97.";
  const auto ids = tokenizer.encode(text, false);
  TextStream stream(tokenizer);
  std::string all;
  size_t held = 0;
  for (const TokenId id : ids) {
    const std::string part = stream.push(id);
    CHECK(whole_characters(part));
    held += part.empty();
    all += part;
  }
  CHECK(held > 0);  // some token was no character by itself
  CHECK(all + stream.finish() == text);
}

TEST_CASE(
    "text stream: nothing of a stop string is shown, and a mere beginning of one is in time") {
  const Tokenizer tokenizer = byte_level();
  const auto ids = tokenizer.encode("one EN two END three", false);
  TextStream stream(tokenizer, {"never", " END"});
  std::string all;
  for (const TokenId id : ids) {
    all += stream.push(id);
    if (stream.stopped()) break;
    CHECK(all.find(" END") == std::string::npos);
  }
  CHECK(stream.stopped());
  CHECK(all + stream.finish() == "one EN two");

  TextStream open(tokenizer, {" END."});
  all.clear();
  for (const TokenId id : ids) all += open.push(id);
  CHECK(!open.stopped());
  CHECK(all + open.finish() == "one EN two END three");
  CHECK(test::error_of([&] { TextStream(tokenizer, {""}); }).find("empty") != std::string::npos);
}

}  // namespace
}  // namespace lk
