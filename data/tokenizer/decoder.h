// Decoders: how the tokens of a text become text again.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lk {

class JsonNode;

// Rewrites the list of tokens; their concatenation is the text.
using Decoder = std::function<void(std::vector<std::string>& tokens)>;

// Reads the `decoder` field of a tokenizer.json (type ByteLevel, WordPiece, Metaspace,
// ByteFallback, Fuse, Replace, Strip, BPEDecoder, Sequence). Throws Error naming the field.
Decoder parse_decoder(const JsonNode& node);

}  // namespace lk
