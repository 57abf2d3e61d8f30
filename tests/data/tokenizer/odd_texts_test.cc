// Texts that no keyboard gives: bytes that are not UTF-8, NUL, marks without letters, words without
// end. The ids are those of Hugging Face's tokenizers (vectors/make_odd_texts.py).
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "tests/support.h"

namespace lk {
namespace {

using Json = nlohmann::json;

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}

std::string from_hex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

// What the vectors keep of a list of ids, and of the text it gives.
Json summary(const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<TokenId> ids = tokenizer.encode(text);
  const size_t kept = std::min<size_t>(ids.size(), 10);
  int64_t sum = 0;
  for (size_t i = 0; i < ids.size(); ++i)
    sum = (sum + static_cast<int64_t>(i) * (ids[i] + 1)) % (int64_t{1} << 31);
  const std::string decoded = tokenizer.decode(ids, false);
  std::string hex;
  for (const char c : decoded.substr(0, 20))
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return {ids.size(),
          std::vector<TokenId>(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept)),
          std::vector<TokenId>(ids.end() - static_cast<std::ptrdiff_t>(kept), ids.end()),
          sum,
          decoded.size(),
          hex};
}

TEST_CASE("tokenizers: odd texts get the reference's ids") {
  std::ifstream in("tests/data/tokenizer/vectors/odd_texts.json");
  const auto vectors = Json::parse(in);
  CHECK(vectors.size() == 6);
  for (const auto& entry : vectors.items()) {
    const std::string& name = entry.key();
    const Json& rows = entry.value();
    const Tokenizer tokenizer = Tokenizer::load("tests/vectors/tokenizers/" + name);
    CHECK(rows.size() > 20);
    for (const auto& row : rows) {
      CAPTURE(name);
      CAPTURE(row[0].dump());
      const Json expected = Json::array({row[2], row[3], row[4], row[5], row[6], row[7]});
      CHECK(summary(tokenizer, repeated(from_hex(row[0]), row[1].get<size_t>())) == expected);
    }
  }
}

TEST_CASE("tokenizers: half of a surrogate pair in a tokenizer.json is an error") {
  for (const char* token : {R"("\ud800")", R"("\udc00x")", R"("\ud800\ud800")", "\"\xed\xa0\x80\""})
    CHECK(test::error_of([&] {
            Tokenizer::from_json(
                fmt::format(R"({{"model":{{"type":"WordPiece","vocab":{{{}:0}}}}}})", token), "t");
          }).find("not valid JSON") != std::string::npos);
}

}  // namespace
}  // namespace lk
