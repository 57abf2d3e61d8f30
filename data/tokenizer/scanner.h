// Hand-written scanners for the regular expressions that most byte-level tokenizers split with.
// Each cuts exactly where its expression would.
#pragma once

#include <string_view>

#include "data/tokenizer/piece.h"

namespace lk {

// The expression of GPT-2, RoBERTa and the ByteLevel pre-tokenizer.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// Llama 3: up to three digits together, a leading symbol joins a word.
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Qwen 2 and 3: as Llama 3 with single digits.
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Cuts valid UTF-8 into the matches of an expression; these three leave nothing between matches.
using Scanner = void (*)(std::string_view text, TextSink sink);

// The scanner of one of the patterns above, else null.
Scanner find_scanner(std::string_view pattern);

}  // namespace lk
