// The files a tokenizer can come from.
#pragma once

#include <filesystem>
#include <string>

namespace lk {

struct TokenizerSource {
  std::string json;  // the text of a tokenizer.json
  std::string name;  // where it came from, for messages
};

// Reads a tokenizer.json, or from a folder tokenizer.json, else vocab.json with merges.txt (GPT-2,
// or RoBERTa when the vocabulary has its special tokens), else vocab.txt (BERT; do_lower_case from
// tokenizer_config.json). Throws Error when there is none or one cannot be read.
TokenizerSource read_tokenizer_files(const std::filesystem::path& file_or_folder);

}  // namespace lk
