// Vocabularies of karpathy/llama2.c (tokenizer.bin: SentencePiece's pieces with their scores) as
// tokenizer.json.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace lk {

// A BPE with byte fallback whose merges are in the order of the pieces' scores. Error when the file
// is truncated, has bytes left over, or pieces that are no UTF-8 or there twice.
nlohmann::json read_llama2c_vocabulary(const std::filesystem::path& file, int64_t vocab_size);

}  // namespace lk
