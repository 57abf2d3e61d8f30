#include "data/tokenizer/scanner.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "data/tokenizer/regex.h"
#include "data/tokenizer/unicode.h"
#include "engine/error.h"
#include "tests/support.h"

namespace lk {
namespace {

using Parts = std::vector<std::string>;

Parts scanned(std::string_view pattern, std::string_view text) {
  Parts parts;
  find_scanner(pattern)(text, [&](std::string_view part) { parts.emplace_back(part); });
  return parts;
}

Parts matched(const Regex& regex, std::string_view text) {
  Parts parts;
  regex.find_all(
      text, [&](size_t begin, size_t end) { parts.emplace_back(text.substr(begin, end - begin)); });
  return parts;
}

TEST_CASE("scanner: cuts by hand") {
  CHECK(scanned(kGpt2Pattern, "I'll go  now, 12 times!\n\n x") ==
        Parts{"I", "'ll", " go", " ", " now", ",", " 12", " times", "!", "\n\n", " x"});
  CHECK(scanned(kLlama3Pattern, "I'LL pay $12345.\n \n  (a)") ==
        Parts{"I", "'LL", " pay", " $", "123", "45", ".\n", " \n", " ", " (", "a", ")"});
  CHECK(scanned(kQwen2Pattern, "a12") == Parts{"a", "1", "2"});
  CHECK(!find_scanner("x"));
}

TEST_CASE("scanner: cuts as the expression does") {
  const char* const pool[] = {
      " ",      " ",      "a",      "B",      "1",      "'",      "s",          "LL",    "re",
      "\n",     "\r",     "\t",     "!",      "-",      "_",      "''",         "  ",    "\u00e9",
      "\u4e00", "\u00b2", "\u00a0", "\u3000", "\u017f", "\u0301", "\U0001F600", "\u200b"};
  uint32_t state = 1;
  const auto random = [&](uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  for (const auto pattern : {kGpt2Pattern, kLlama3Pattern, kQwen2Pattern}) {
    const Regex regex{std::string(pattern), ""};
    int wrong = 0;
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      for (uint32_t n = random(14); n > 0; --n) text += pool[random(std::size(pool))];
      if (scanned(pattern, text) != matched(regex, text) && wrong++ == 0) MESSAGE(text);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("regex: what Oniguruma means, and what is refused") {
  const auto parts = [](const char* pattern, std::string_view text) {
    return matched(Regex(pattern, ""), text);
  };
  CHECK(parts(R"(\s)", " \u0085\u180ex") == Parts{" ", "\u0085"});  // U+180E is no space
  CHECK(parts(R"(\w+)", "a\u0301_\u24b6 -") == Parts{"a\u0301_\u24b6"});
  CHECK(parts(R"(\h+)", "xFF 0g") == Parts{"FF", "0"});
  CHECK(parts(R"([^\s\p{L}]+)", "ab,12 \U00014000") == Parts{",12"});  // a letter since Unicode 16
  CHECK(parts("^b$", "a\nb\nc") == Parts{"b"});
  CHECK(parts("x*", "axb") == Parts{"", "x", ""});
  CHECK(parts("", "") == Parts{""});
  for (const char* bad : {"(", "[a", "[[:alpha:]]", "[a[b]]", "[a&&b]", R"([\W])",
                          R"(\p{Nonsense})", R"(a\)", "(?<n>a", "*"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Regex(bad, "file: "), Error);
  }
}

TEST_CASE("regex: an expression that explodes is an error, not a hang") {
  const Regex regex("(a|aa)+$", "");
  const std::string text(60, 'a');
  CHECK_THROWS_AS(matched(regex, text + "b"), Error);
}

}  // namespace
}  // namespace lk
