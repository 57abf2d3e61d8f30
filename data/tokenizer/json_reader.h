// Reads a tokenizer.json: its large tables go to compact lists while the text is parsed, the rest
// becomes a JSON document. Heavy: include it from .cc files only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/json_node.h"

namespace lk {

// Many short strings, end to end.
class TextList {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  size_t size() const { return ends_.size(); }
  size_t bytes() const { return bytes_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + begin, ends_[i] - begin};
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

// The members `vocab` and `merges` of the model.
struct ModelTables {
  enum class VocabKind { kNone, kObject, kArray };
  VocabKind vocab_kind = VocabKind::kNone;
  TextList tokens;
  std::vector<int64_t> ids;    // of an object: token to id
  std::vector<double> scores;  // of an array: [token, score]
  bool has_merges = false;
  TextList left, right;
};

struct TokenizerJson {
  Json document;  // without the tables
  ModelTables tables;
};

// Throws Error, with `name` for the file, when the text is not JSON, nested more than 100 deep, has
// a key twice, or a table is not made as it should be.
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name);

}  // namespace lk
