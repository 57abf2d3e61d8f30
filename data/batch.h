// Examples as tokens, and batches of them laid end to end: no padding between documents.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/tokenizer/tokenizer.h"

namespace lk {

// labels[t] is the token to be predicted at t (already shifted) or t's class, -100 where there is
// no loss. source_ids: what the encoder of an encoder-decoder reads; ids are then its decoder's.
struct Example {
  std::vector<int32_t> ids, labels, type_ids;
  int32_t class_label = -100;
  std::vector<int32_t> source_ids = {};
  // Empty, or for each token that is read first (of source_ids, where there are such): the number
  // of the virtual token that takes its place, -1 for none.
  std::vector<int32_t> slots = {};
  std::vector<Example> wrong = {};  // what else could have been the answer
  int64_t length() const {
    auto tokens = static_cast<int64_t>(ids.size() + source_ids.size());
    for (const Example& e : wrong) tokens += e.length();
    return tokens;
  }
};

// Documents in one row: offsets [B + 1]. The last document may be padding up to a round number of
// tokens, so that the shapes of matrix products repeat; it carries no label (class_labels -100).
struct Batch {
  std::vector<int32_t> ids, positions, labels, type_ids, offsets, class_labels;
  std::vector<int32_t> source_ids, source_positions, source_offsets;  // empty without an encoder
  std::vector<int32_t> slots;  // of ids, or of source_ids where there are such; may be empty
  // [R + 1] documents of each record, where some are its wrong answers; the first is right.
  std::vector<int32_t> records;
  int64_t labelled = 0;     // tokens (or documents, for classes) that carry a label
  int64_t real_tokens = 0;  // without padding
};

struct EncodeOptions {
  int64_t max_length = 0;        // 0: the model's context
  bool truncate = false;         // else a longer example is an Error that names its line
  std::string separator = "\n";  // between input and output
  int32_t eos_id = -1;           // ends the output
  // >= 0: for an encoder-decoder, whose decoder reads this first; input and output stay apart.
  int32_t decoder_start_id = -1;
};

// The Error of an example that does not fit and may not be cut.
[[noreturn]] void example_too_long(const std::filesystem::path& file, int64_t line, int64_t length,
                                   int64_t limit);

// Input, separator, output, eos; loss on output and eos only. For an encoder-decoder the source is
// the input with its special tokens, the decoder reads start and output, max_length holds for each.
Example encode_pair_example(const Tokenizer& tokenizer, const TextData& data,
                            const TextRecord& record, const EncodeOptions& options);
// The tokens a prompt for generation starts with: input and separator.
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& input,
                                   const EncodeOptions& options);
Example encode_class_example(const Tokenizer& tokenizer, const ClassData& data,
                             const ClassRecord& record, const std::vector<std::string>& labels,
                             const EncodeOptions& options);
// A long text cut into pieces of `context` tokens, each predicting its next token. Documents are
// parted by a line "<|endoftext|>", which becomes eos_id.
std::vector<Example> encode_text(const Tokenizer& tokenizer, const std::filesystem::path& file,
                                 int64_t context, int32_t eos_id);

// The examples end to end, then documents without labels up to a multiple of round_to tokens.
Batch make_batch(std::span<const Example* const> examples, int64_t round_to = 32);
// The examples with their wrong answers; labelled counts the examples.
Batch make_choice_batch(std::span<const Example* const> examples);

// The batches of one epoch, each a list of example indices: of `batch_size` examples, or as many as
// fit into `token_budget` tokens (> 0). A function of (seed, epoch) alone. By length: neighbours in
// length are put together, in pools of 32 batches, as transformers' group_by_length does.
std::vector<std::vector<int64_t>> epoch_batches(const std::vector<Example>& examples,
                                                int64_t batch_size, int64_t token_budget,
                                                bool group_by_length, uint64_t seed, int64_t epoch);

// The tokens of an example, those with loss marked: "[Hello] [wor>ld<]".
std::string explain(const Example& example, const Tokenizer& tokenizer);

}  // namespace lk
