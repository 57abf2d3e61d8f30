// Ids and texts exactly as the tokenizers library gives them.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "tests/oracle.h"

namespace lk {
namespace {

// Every line of a file must agree. The first difference is reported.
void check_lines(const std::filesystem::path& tokenizer_json,
                 const std::filesystem::path& lines_file) {
  CAPTURE(lines_file.string());
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_json);
  std::ifstream in(lines_file);
  int64_t lines = 0, wrong = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto j = nlohmann::json::parse(line);
    const auto ids = j["ids"].get<std::vector<TokenId>>();
    bool same = tokenizer.encode(j["text"].get<std::string>(), true) == ids;
    same = same && tokenizer.encode(j["text"].get<std::string>(), false) ==
                       j["ids_no_special"].get<std::vector<TokenId>>();
    same = same && tokenizer.decode(ids, true) == j["decoded"].get<std::string>();
    same = same && tokenizer.decode(ids, false) == j["decoded_with_special"].get<std::string>();
    if (j.contains("pair")) {
      const Encoding pair =
          tokenizer.encode_pair(j["text"].get<std::string>(), j["pair"].get<std::string>(), true);
      same = same && pair.ids == j["pair_ids"].get<std::vector<TokenId>>() &&
             pair.type_ids == j["pair_types"].get<std::vector<int32_t>>();
    }
    if (!same && wrong++ == 0) MESSAGE("first difference in line ", lines + 1);
  }
  CHECK(lines > 50);
  CHECK(wrong == 0);
}

TEST_CASE("tokenizers: the reference's lines, exact") {
  for (const test::OracleCase& c : test::oracle_cases("tokenizers"))
    check_lines(c.root / c.json->at("tokenizer").get<std::string>(),
                c.root / c.json->at("lines").get<std::string>());
}

}  // namespace
}  // namespace lk
