// A classification set that everybody can make: WordNet's definitions of nouns, to be sorted into
// WordNet's own 24 fields of meaning ("supersenses": animal, artifact, feeling, ...). Lines of
// label<TAB>definition, the same number of each class; no definition is in two files.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "engine/files/atomic_file.h"
#include "engine/rng.h"
#include "tools/train/cli.h"

using namespace lk;

namespace {

// The fields by WordNet's lexicographer file number, from 4 on (lexnames(5WN)); noun.motive has too
// few definitions, noun.Tops is no field.
const std::map<int, std::string>& fields() {
  static const std::map<int, std::string> table{
      {4, "act"},         {5, "animal"},    {6, "artifact"},       {7, "attribute"},
      {8, "body"},        {9, "cognition"}, {10, "communication"}, {11, "event"},
      {12, "feeling"},    {13, "food"},     {14, "group"},         {15, "location"},
      {17, "object"},     {18, "person"},   {19, "phenomenon"},    {20, "plant"},
      {21, "possession"}, {22, "process"},  {23, "quantity"},      {24, "relation"},
      {25, "shape"},      {26, "state"},    {27, "substance"},     {28, "time"}};
  return table;
}

// What stands before the first example sentence.
std::string definition_of(const std::string& gloss) {
  std::string text = gloss.substr(0, gloss.find("; \""));
  while (!text.empty() && (text.back() == ' ' || text.back() == ';')) text.pop_back();
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin);
}

// Lines are "offset lex_filenum n ... | gloss" (wndb(5WN)); the licence before them is indented.
std::map<std::string, std::vector<std::string>> read_definitions(
    const std::filesystem::path& file) {
  std::ifstream in(file);
  require(in.good(), "{}: cannot be opened; install Debian's wordnet-base or give --wordnet",
          file.string());
  std::map<std::string, std::vector<std::string>> out;
  std::set<std::string> seen;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == ' ') continue;
    const size_t bar = line.find(" | ");
    require(bar != std::string::npos && line.size() > 12 && line[8] == ' ' &&
                line.find_first_not_of("0123456789") == 8,
            "{}:{}: expected 'offset lex_filenum ... | gloss' as WordNet 3.0 has it", file.string(),
            number);
    const auto field = fields().find(std::atoi(line.c_str() + 9));
    const std::string text = definition_of(line.substr(bar + 3));
    if (field == fields().end() || text.find('\t') != std::string::npos) continue;
    if (text.size() >= 15 && seen.insert(text).second) out[field->second].push_back(text);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("make_supersense_data: WordNet's definitions and their fields of meaning");
  std::string wordnet = "/usr/share/wordnet", output;
  uint64_t seed = 7;
  size_t train = 200, dev = 30, test = 40;
  app.add_option("--output", output, "folder for train.tsv, dev.tsv and test.tsv")->required();
  app.add_option("--wordnet", wordnet, "folder of WordNet's data.noun")->capture_default_str();
  app.add_option("--train", train, "records of each class")->capture_default_str();
  app.add_option("--dev", dev, "records of each class")->capture_default_str();
  app.add_option("--test", test, "records of each class")->capture_default_str();
  app.add_option("--seed", seed, "")->capture_default_str();
  return run_tool(app, argc, argv, [&] {
    const std::filesystem::path folder = output,
                                file = std::filesystem::path(wordnet) / "data.noun";
    std::map<std::string, std::vector<std::string>> texts;
    auto definitions = read_definitions(file);
    Random random(seed);
    for (auto& [id, name] : fields()) {
      std::vector<std::string>& all = definitions[name];
      require(all.size() >= train + dev + test,
              "{}: {} has {} definitions, {} are wanted; ask for fewer", file.string(), name,
              all.size(), train + dev + test);
      for (size_t i = all.size(); i > 1; --i)
        std::swap(all[i - 1], all[random.below(static_cast<uint32_t>(i))]);
      for (size_t i = 0; i < train + dev + test; ++i)
        texts[i < train         ? "train.tsv"
              : i < train + dev ? "dev.tsv"
                                : "test.tsv"]
            .push_back(name + "\t" + all[i] + "\n");
    }
    std::filesystem::create_directories(folder);
    for (auto& [name, lines] : texts) {
      for (size_t i = lines.size(); i > 1; --i)
        std::swap(lines[i - 1], lines[random.below(static_cast<uint32_t>(i))]);
      std::string text;
      for (const std::string& line : lines) text += line;
      write_file_atomically(folder / name, text);
      fmt::print("{}: {} records of {} classes\n", (folder / name).string(), lines.size(),
                 fields().size());
    }
  });
}
