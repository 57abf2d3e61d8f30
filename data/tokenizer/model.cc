#include "data/tokenizer/model.h"

#include "data/tokenizer/json_node.h"

namespace lk {

Vocab parse_vocab(const JsonNode& node) {
  node.expect_object();
  // Ids must be nearly dense: tables by id take memory for the largest one.
  const auto count = static_cast<int64_t>(node.size());
  const int64_t most = 2 * count + 1000;
  size_t bytes = 0;
  for (const auto& entry : node.json().items()) bytes += entry.key().size();
  Vocab vocab;
  vocab.reserve(count, bytes);
  for (const auto& entry : node.json().items()) {
    const Json& id = entry.value();
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT32_MAX) ||
        id.get<int64_t>() < 0 || id.get<int64_t>() > most)
      node.fail("token \"{}\" has the id {}, expected an integer from 0 to {} ({} tokens)",
                entry.key(), id.dump(), most, count);
    const auto value = id.get<TokenId>();
    if (!vocab.add(entry.key(), value))
      node.fail("tokens \"{}\" and \"{}\" have the same id {}", vocab.token(value), entry.key(),
                value);
  }
  return vocab;
}

std::unique_ptr<TokenModel> parse_model(const JsonNode& node) {
  node.expect_object();
  std::string type;
  if (const auto named = node.find("type"))
    type = named->text();
  else if (node.find("merges"))  // files of older versions name no type
    type = "BPE";
  else if (node.find("vocab"))
    type = node.at("vocab").json().is_array() ? "Unigram" : "WordPiece";
  if (type == "BPE") return parse_bpe(node);
  if (type == "WordPiece") return parse_word_piece(node);
  if (type == "Unigram") return parse_unigram(node);
  node.fail("unsupported model type \"{}\" (supported: BPE, WordPiece, Unigram)", type);
}

}  // namespace lk
