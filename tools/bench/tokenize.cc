#include "tools/bench/tokenize.h"

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "engine/error.h"

namespace lk {

nlohmann::ordered_json bench_tokenize(const std::filesystem::path& tokenizer_file,
                                      const std::filesystem::path& text) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_file);
  std::ifstream in(text);
  require(in.is_open(), "{}: cannot be opened", text.string());
  std::vector<std::string> lines;
  size_t bytes = 0;
  for (std::string line; std::getline(in, line); bytes += lines.back().size())
    lines.push_back(std::move(line));
  int64_t tokens = 0, sum = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& line : lines) {
    const std::vector<TokenId> ids = tokenizer.encode(line, false);
    tokens += static_cast<int64_t>(ids.size());
    for (const TokenId id : ids) sum += id;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {{"who", "lorikeet"},
          {"tokenizer", tokenizer_file.string()},
          {"kind", tokenizer.kind()},
          {"lines", lines.size()},
          {"bytes", bytes},
          {"tokens", tokens},
          {"sum", sum},
          {"seconds", seconds},
          {"mb_per_s", static_cast<double>(bytes) / seconds / 1e6}};
}

}  // namespace lk
