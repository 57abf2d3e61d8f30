// Post-processors: put the special tokens around the ids of one or two texts.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/tokenizer/vocab.h"

namespace lk {

class JsonNode;

// The ids of one text, or special tokens, with the type id of each.
struct Segment {
  std::vector<TokenId> ids;
  std::vector<int32_t> types;
};

// Turns the segments of one or two texts (types 0 and 1) into those of the result; without special
// tokens it may still set the types.
using PostProcessor =
    std::function<std::vector<Segment>(std::vector<Segment> texts, bool add_special_tokens)>;

// Reads the `post_processor` field of a tokenizer.json (type TemplateProcessing, BertProcessing,
// RobertaProcessing, ByteLevel, Sequence). Throws Error naming the field.
PostProcessor parse_post_processor(const JsonNode& node);

}  // namespace lk
