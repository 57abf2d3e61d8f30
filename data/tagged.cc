#include "data/tagged.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <tuple>

#include "data/jinja/text.h"
#include "engine/error.h"

namespace lk {

std::vector<std::string> TaggedData::labels() const {
  std::set<std::string> names;
  for (const TaggedSentence& s : sentences) names.insert(s.tags.begin(), s.tags.end());
  return {names.begin(), names.end()};
}

TaggedData read_tagged(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  require(in.good() && !std::filesystem::is_directory(file), "{}: the data file cannot be read",
          file.string());
  TaggedData data{file, {}};
  TaggedSentence sentence;
  const auto close = [&] {
    if (!sentence.tokens.empty()) data.sentences.push_back(std::move(sentence));
    sentence = {};
  };
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) {
      close();
      continue;
    }
    require(jinja::is_utf8(line), "{}:{}: not valid UTF-8", file.string(), number);
    const size_t tab = line.find('\t');
    require(tab != std::string::npos && tab > 0 && tab + 1 < line.size() &&
                line.find('\t', tab + 1) == std::string::npos,
            "{}:{}: expected token<TAB>tag, or an empty line between sentences", file.string(),
            number);
    if (sentence.tokens.empty()) sentence.line = number;
    sentence.tokens.push_back(line.substr(0, tab));
    sentence.tags.push_back(line.substr(tab + 1));
  }
  close();
  require(!data.sentences.empty(), "{}: the data set is empty", file.string());
  return data;
}

TaggedExample encode_tagged(const Tokenizer& tokenizer, const TaggedData& data,
                            const TaggedSentence& sentence, const std::vector<std::string>& labels,
                            const EncodeOptions& options) {
  TaggedExample out;
  std::vector<int32_t> ids, tags;
  const int64_t room = options.max_length - tokenizer.special_tokens_added(false);
  // Byte-level tokenizers mark the word by the space before it, which a lone token lacks.
  const std::string before = tokenizer.kind() == "BPE" ? " " : "";
  for (size_t i = 0; i < sentence.tokens.size(); ++i) {
    const auto found = std::lower_bound(labels.begin(), labels.end(), sentence.tags[i]);
    require(found != labels.end() && *found == sentence.tags[i],
            "{}:{}: the tag '{}' does not stand in the training data, which has {}",
            data.file.string(), sentence.line + static_cast<int64_t>(i), sentence.tags[i],
            labels.size());
    const auto pieces = tokenizer.encode(before + sentence.tokens[i], false);
    if (options.max_length > 0 && static_cast<int64_t>(ids.size() + pieces.size()) > room) {
      require(options.truncate,
              "{}:{}: the sentence has more than the {} tokens allowed; shorten it, raise "
              "--max-length up to the model's context, or pass --truncate",
              data.file.string(), sentence.line, options.max_length);
      break;
    }
    ids.insert(ids.end(), pieces.begin(), pieces.end());
    for (size_t p = 0; p < pieces.size(); ++p)
      tags.push_back(p == 0 ? static_cast<int32_t>(found - labels.begin()) : -100);
    out.pieces_of.push_back(static_cast<int64_t>(pieces.size()));
  }
  const Encoding whole = tokenizer.assemble(ids, std::nullopt, true);
  // Special tokens stand around the text; it is found again as one run.
  const auto at = std::search(whole.ids.begin(), whole.ids.end(), ids.begin(), ids.end());
  require(at != whole.ids.end() || ids.empty(), "{}:{}: the post-processor takes the text apart",
          data.file.string(), sentence.line);
  out.example.ids = whole.ids;
  out.example.type_ids = whole.type_ids;
  out.example.labels.assign(whole.ids.size(), -100);
  std::copy(tags.begin(), tags.end(), out.example.labels.begin() + (at - whole.ids.begin()));
  return out;
}

namespace {

using Entity = std::tuple<size_t, size_t, size_t, std::string>;  // sentence, begin, end, type

std::set<Entity> entities(const TagLists& sentences) {
  std::set<Entity> out;
  for (size_t s = 0; s < sentences.size(); ++s) {
    const auto& tags = sentences[s];
    for (size_t i = 0; i < tags.size(); ++i) {
      if (tags[i].rfind("B-", 0) != 0) continue;
      const std::string type = tags[i].substr(2);
      size_t end = i + 1;
      while (end < tags.size() && tags[end] == "I-" + type) ++end;
      out.emplace(s, i, end, type);
    }
  }
  return out;
}

}  // namespace

EntityScores entity_scores(const TagLists& predicted, const TagLists& expected) {
  require(predicted.size() == expected.size(), "{} sentences were tagged, {} have answers",
          predicted.size(), expected.size());
  const std::set<Entity> ours = entities(predicted), right = entities(expected);
  double hits = 0;
  for (const Entity& e : ours) hits += static_cast<double>(right.count(e));
  EntityScores out;
  if (!ours.empty()) out.precision = hits / static_cast<double>(ours.size());
  if (!right.empty()) out.recall = hits / static_cast<double>(right.size());
  if (hits > 0) out.f1 = 2 * out.precision * out.recall / (out.precision + out.recall);
  return out;
}

bool has_entities(const std::vector<std::string>& labels) {
  return std::any_of(labels.begin(), labels.end(),
                     [](const std::string& l) { return l.rfind("B-", 0) == 0; });
}

}  // namespace lk
