// Normalizers: what happens to the text before it is cut into pieces.
#pragma once

#include <functional>
#include <string>

namespace lk {

class JsonNode;

// Text on its way through the normalizers.
struct NormalText {
  std::string text;       // valid UTF-8
  bool at_start = false;  // the first character comes from the first one of the input
};

using Normalizer = std::function<void(NormalText& text)>;

// Reads the `normalizer` field of a tokenizer.json (type NFC, NFD, NFKC, NFKD, Lowercase,
// StripAccents, Strip, Replace, Prepend, BertNormalizer, ByteLevel, Nmt, Precompiled, Sequence).
// Throws Error naming the field.
Normalizer parse_normalizer(const JsonNode& node);

}  // namespace lk
