// Records as the slots of templates, and labels as words.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/prompt_template.h"
#include "engine/error.h"

namespace lk {

// text, text_a, text_b; no label.
Fields fields_of(const ClassRecord& record);

// For each label its words: the verbalizer's, or the label itself where there is no verbalizer.
// Error for a label without words, and for words of a label that does not occur.
std::vector<std::string> words_of(const std::vector<std::string>& labels,
                                  const std::map<std::string, std::string>& verbalizer);

// What TaskData::memory keeps; an empty verbalizer and no labels are left out.
nlohmann::json memory_of(const std::string& text,
                         const std::map<std::string, std::string>& verbalizer,
                         const std::vector<std::string>& labels);

// f's errors with the record's place before them.
template <class F>
void at_line(const std::filesystem::path& file, int64_t line, F&& f) {
  try {
    f();
  } catch (const Error& e) {
    fail("{}:{}: {}", file.string(), line, e.what());
  }
}

}  // namespace lk
