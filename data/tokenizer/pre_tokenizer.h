// Pre-tokenizers: cut the normalized text into the pieces that the model sees one by one.
#pragma once

#include <functional>
#include <string_view>

#include "data/tokenizer/piece.h"

namespace lk {

class JsonNode;

// Cuts one piece into smaller ones; a piece handed to the sink lives only as long as the call.
using PieceStep = std::function<void(Piece piece, PieceSink sink)>;

struct PreTokenizer {
  PieceStep step;           // empty: the text is one piece
  bool byte_level = false;  // pieces still hold raw bytes, to be written as byte-level characters
};

// Reads the `pre_tokenizer` field of a tokenizer.json (type ByteLevel, Split, Whitespace,
// WhitespaceSplit, Punctuation, Digits, Metaspace, BertPreTokenizer, CharDelimiterSplit, Sequence).
// Throws Error naming the field.
PreTokenizer parse_pre_tokenizer(const JsonNode& node);

}  // namespace lk
