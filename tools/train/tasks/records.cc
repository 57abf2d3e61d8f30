#include "tools/train/tasks/records.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lk {

Fields fields_of(const ClassRecord& r) {
  return {{"text", r.text_a}, {"text_a", r.text_a}, {"text_b", r.text_b}};
}

std::vector<std::string> words_of(const std::vector<std::string>& labels,
                                  const std::map<std::string, std::string>& verbalizer) {
  for (const auto& [label, word] : verbalizer)
    require(std::find(labels.begin(), labels.end(), label) != labels.end(),
            "the verbalizer names the label '{}', which does not occur in the data", label);
  if (verbalizer.empty()) return labels;
  std::vector<std::string> words;
  for (const std::string& label : labels) {
    const auto word = verbalizer.find(label);
    require(word != verbalizer.end(), "the verbalizer has no word for the label '{}'", label);
    const auto twin = std::find(words.begin(), words.end(), word->second);
    require(twin == words.end(), "the labels '{}' and '{}' have one word, '{}'",
            labels[static_cast<size_t>(twin - words.begin())], label, word->second);
    words.push_back(word->second);
  }
  return words;
}

nlohmann::json memory_of(const std::string& text,
                         const std::map<std::string, std::string>& verbalizer,
                         const std::vector<std::string>& labels) {
  nlohmann::json out{{"template", text}};
  if (!verbalizer.empty()) out["verbalizer"] = verbalizer;
  if (!labels.empty()) out["labels"] = labels;
  return out;
}

}  // namespace lk
