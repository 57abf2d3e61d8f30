#include "data/tokenizer/model.h"

#include "data/tokenizer/json_reader.h"

namespace lk {

using VocabKind = ModelTables::VocabKind;

Vocab parse_vocab(const JsonNode& node, const ModelTables& tables) {
  if (tables.vocab_kind != VocabKind::kObject)
    node.fail("the member \"vocab\", an object of token to id, is missing");
  // Ids must be nearly dense: tables by id take memory for the largest one.
  const auto count = static_cast<int64_t>(tables.ids.size());
  const int64_t most = 2 * count + 1000;
  Vocab vocab;
  vocab.reserve(tables.ids.size(), tables.tokens.bytes());
  for (size_t i = 0; i < tables.ids.size(); ++i) {
    const auto token = tables.tokens[i];
    const int64_t id = tables.ids[i];
    if (id < 0 || id > most)
      node.fail("vocab: token \"{}\" has the id {}, expected one from 0 to {} ({} tokens)", token,
                id, most, count);
    if (vocab.find(token) != Vocab::kNone) node.fail("vocab: token \"{}\" stands twice", token);
    if (!vocab.add(token, static_cast<TokenId>(id)))
      node.fail("vocab: tokens \"{}\" and \"{}\" have the same id {}",
                vocab.token(static_cast<TokenId>(id)), token, id);
  }
  return vocab;
}

std::unique_ptr<TokenModel> parse_model(const JsonNode& node, const ModelTables& tables) {
  node.expect_object();
  std::string type;
  if (const auto named = node.find("type"))
    type = named->text();
  else if (tables.has_merges)  // files of older versions name no type
    type = "BPE";
  else
    type = tables.vocab_kind == VocabKind::kArray ? "Unigram" : "WordPiece";
  if (type == "BPE") return parse_bpe(node, tables);
  if (type == "WordPiece") return parse_word_piece(node, tables);
  if (type == "Unigram") return parse_unigram(node, tables);
  node.fail("unsupported model type \"{}\" (supported: BPE, WordPiece, Unigram)", type);
}

}  // namespace lk
