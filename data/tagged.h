// Sentences whose tokens carry a tag each: entities (IOB2), parts of speech, slots.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/batch.h"

namespace lk {

struct TaggedSentence {
  std::vector<std::string> tokens, tags;
  int64_t line = 0;  // of the first token
};
struct TaggedData {
  std::filesystem::path file;
  std::vector<TaggedSentence> sentences;
  std::vector<std::string> labels() const;  // sorted, each once
};
// token<TAB>tag a line, an empty line behind each sentence; Error with file and line.
TaggedData read_tagged(const std::filesystem::path& file);

// A sentence as tokens of the model: each of its own is cut into pieces by itself, the first piece
// carries the tag's index as label and the others -100 (Devlin et al. 2019, section 5.3). Cut
// behind the last token that fits where `truncate` says.
struct TaggedExample {
  Example example;
  std::vector<int64_t> pieces_of;  // of each token that is kept; 0: it has none, and no label
};
TaggedExample encode_tagged(const Tokenizer& tokenizer, const TaggedData& data,
                            const TaggedSentence& sentence, const std::vector<std::string>& labels,
                            const EncodeOptions& options);

// Micro-averaged over all sentences, as seqeval counts in mode strict with scheme IOB2: an entity
// is B-x and the I-x that follow at once; right are those with the same place and type.
struct EntityScores {
  double precision = 0, recall = 0, f1 = 0;
};
using TagLists = std::vector<std::vector<std::string>>;  // [sentences][tokens]
EntityScores entity_scores(const TagLists& predicted, const TagLists& expected);
bool has_entities(const std::vector<std::string>& labels);  // some label begins with "B-"

}  // namespace lk
