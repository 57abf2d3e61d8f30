// Learns a byte-level BPE tokenizer from text (Sennrich et al. 2016; Radford et al. 2019): the most
// frequent pair of neighbouring tokens becomes a token, again and again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer/scanner.h"
#include "data/tokenizer/tokenizer.h"

namespace lk {

struct BpeTrainOptions {
  int64_t vocab_size = 8192;  // special tokens and the 256 bytes included
  int64_t min_frequency = 2;  // a pair seen less often is not merged
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  // ids 0, 1, ...
  std::string pattern =
      std::string(kGpt2Pattern);  // cuts the text into words; no merge crosses one
};

// Trains on the texts. Special tokens in them are not treated apart. Equal counts: the pair with
// the smaller ids first, so the same texts give the same tokenizer, and the same merges as the
// BpeTrainer of Hugging Face's tokenizers. Throws Error when the options leave no room for the
// bytes, a special token is empty or stands twice, or the texts are empty.
Tokenizer train_byte_level_bpe(std::span<const std::string> texts, const BpeTrainOptions& options);

// The same, each file one text.
Tokenizer train_byte_level_bpe_from_files(std::span<const std::filesystem::path> files,
                                          const BpeTrainOptions& options);

}  // namespace lk
