// A tokenizer's model: how a piece of text becomes ids.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/piece.h"
#include "data/tokenizer/vocab.h"

namespace lk {

class JsonNode;
struct ModelTables;

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // "BPE", "WordPiece", "Unigram".
  virtual std::string kind() const = 0;
  // Appends the ids of a piece of valid UTF-8. Safe from several threads.
  virtual void tokenize(std::string_view piece, std::vector<TokenId>& out) const = 0;
  // Cuts a piece where no token of this model can reach across, so that each part can be tokenized
  // (and remembered) by itself.
  virtual void cut(std::string_view piece, TextSink sink) const { sink(piece); }
  const Vocab& vocab() const { return vocab_; }

 protected:
  Vocab vocab_;
};

// Reads the `model` field of a tokenizer.json and its tables. Throws Error naming the field.
std::unique_ptr<TokenModel> parse_model(const JsonNode& node, const ModelTables& tables);
std::unique_ptr<TokenModel> parse_bpe(const JsonNode& node, const ModelTables& tables);
std::unique_ptr<TokenModel> parse_word_piece(const JsonNode& node, const ModelTables& tables);
std::unique_ptr<TokenModel> parse_unigram(const JsonNode& node, const ModelTables& tables);

// The vocabulary of BPE and WordPiece, an object of token to id.
Vocab parse_vocab(const JsonNode& node, const ModelTables& tables);

}  // namespace lk
