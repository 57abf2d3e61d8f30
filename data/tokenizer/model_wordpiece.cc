// WordPiece (Schuster and Nakajima 2012; BERT): the longest known prefix first, then the longest
// known continuation, and so on; a word that cannot be covered is unknown as a whole.
#include <optional>
#include <utility>

#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

class WordPieceModel : public TokenModel {
 public:
  WordPieceModel(Vocab vocab, std::string unk_token, std::string prefix, int64_t max_characters)
      : unk_token_(std::move(unk_token)),
        prefix_(std::move(prefix)),
        max_characters_(max_characters) {
    vocab_ = std::move(vocab);
    unk_id_ = vocab_.find(unk_token_);
    for (TokenId id = 0; id < vocab_.end_id(); ++id)
      if (vocab_.has(id)) longest_ = std::max(longest_, vocab_.token(id).size());
  }

  std::string kind() const override { return "WordPiece"; }

  void tokenize(std::string_view piece, std::vector<TokenId>& out) const override {
    const size_t before = out.size();
    bool known = unicode::count_code_points(piece) <= max_characters_;
    std::string candidate;
    for (size_t begin = 0; known && begin < piece.size();) {
      // The candidate shrinks character by character from the longest that can be a token.
      const size_t prefix = begin > 0 ? prefix_.size() : 0;
      candidate.assign(prefix_, 0, prefix).append(piece.substr(begin, longest_));
      TokenId id = Vocab::kNone;
      size_t length = candidate.size();
      for (; length > prefix; --length) {
        const size_t end = begin + length - prefix;
        if (end < piece.size() && (piece[end] & 0xC0) == 0x80) continue;
        id = vocab_.find(std::string_view(candidate).substr(0, length));
        if (id != Vocab::kNone) break;
      }
      known = id != Vocab::kNone;
      out.push_back(id);
      begin += length - prefix;
    }
    if (known) return;
    require(unk_id_ != Vocab::kNone,
            "the tokenizer's unk_token \"{}\" is not in its vocabulary, and the text has a word "
            "that is not either",
            unk_token_);
    out.resize(before);
    out.push_back(unk_id_);
  }

 private:
  std::string unk_token_, prefix_;
  int64_t max_characters_;
  TokenId unk_id_ = Vocab::kNone;
  size_t longest_ = 0;  // bytes of the longest token
};

}  // namespace

std::unique_ptr<TokenModel> parse_word_piece(const JsonNode& node, const ModelTables& tables) {
  return std::make_unique<WordPieceModel>(
      parse_vocab(node, tables), node.text_or("unk_token", "[UNK]"),
      node.text_or("continuing_subword_prefix", "##"),
      node.integer_or("max_input_chars_per_word", 0, INT32_MAX, 100));
}

}  // namespace lk
