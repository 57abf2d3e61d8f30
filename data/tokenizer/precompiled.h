// SentencePiece's precompiled character map: a trie of byte strings and what replaces them.
#pragma once

#include "data/tokenizer/normalizer.h"

namespace lk {

// Reads a normalizer of type Precompiled: base64 of the trie's size in bytes (uint32), the trie (a
// Darts double array of uint32 units) and the replacements, each ended by a zero byte. All little
// endian. Throws Error when it is malformed.
Normalizer parse_precompiled(const JsonNode& node);

}  // namespace lk
