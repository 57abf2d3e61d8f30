// Tokenizers of the Hugging Face format: text to ids and back, exactly as `tokenizers` does it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/limits.h"
#include "data/tokenizer/vocab.h"

namespace lk {

// Ids with the type of each (which of two texts, for BERT).
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<int32_t> type_ids;
};

// A value; copies share one immutable tokenizer. All members are safe from several threads.
//
// The file's `truncation` and `padding` are not applied by themselves, as in transformers: the
// caller decides.
class Tokenizer {
 public:
  // Reads a tokenizer.json, or a folder that holds tokenizer.json, or vocab.json and merges.txt, or
  // vocab.txt. Throws Error naming file and field when something is missing, wrong or not
  // supported.
  static Tokenizer load(const std::filesystem::path& file_or_folder);
  // Reads the text of a tokenizer.json; `name` stands for the file in messages.
  static Tokenizer from_json(std::string json, const std::string& name);

  // The ids of a text. Malformed UTF-8 counts as U+FFFD. Throws Error when the text has something
  // unknown and the tokenizer no token for it.
  std::vector<TokenId> encode(std::string_view text, bool add_special_tokens = true) const;
  // The same with type ids.
  Encoding encode_with_types(std::string_view text, bool add_special_tokens = true) const;
  // The ids of two texts and their type ids, put together by the post-processor.
  Encoding encode_pair(std::string_view a, std::string_view b,
                       bool add_special_tokens = true) const;
  // One text, or two, cut to truncation.max_length tokens, special tokens included. Throws Error as
  // `truncate` does.
  Encoding encode_truncated(std::string_view a, std::optional<std::string_view> b,
                            const Truncation& truncation, bool add_special_tokens = true) const;
  // Puts the ids of one text, or of two, together, as encoding does after cutting them to tokens.
  Encoding assemble(std::vector<TokenId> a, std::optional<std::vector<TokenId>> b,
                    bool add_special_tokens = true) const;
  // The text of ids. Ids without a token are passed over (models pad their vocabularies).
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = true) const;

  // One more than the largest id: the rows an embedding needs.
  int64_t vocab_size() const;
  std::optional<TokenId> token_id(std::string_view token) const;
  // The token as it stands in the vocabulary; Error when the id has none.
  std::string token(TokenId id) const;
  bool is_special(TokenId id) const;
  // "BPE", "WordPiece", "Unigram".
  std::string kind() const;
  // How many special tokens encoding one text or a pair adds.
  int special_tokens_added(bool pair) const;
  // What the file asks for, if anything.
  const std::optional<Truncation>& truncation() const;
  const std::optional<Padding>& padding() const;
  // Writes tokenizer.json, byte for byte the one that was read.
  void save(const std::filesystem::path& tokenizer_json) const;

 private:
  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace lk
