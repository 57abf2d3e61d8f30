// The unigram language model (Kudo 2018): of all ways to cover a piece with tokens, the one with
// the largest sum of log probabilities, found by Viterbi's algorithm over a byte trie.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

constexpr double kUnkPenalty = 10.0;

// The trie: children of a node are found in one hash table keyed by (node, byte).
class Trie {
 public:
  void reserve(size_t bytes) {
    size_t size = 16;
    while (size < 2 * bytes) size *= 2;
    entries_.assign(size, Entry{});
  }
  void add(std::string_view text, TokenId id) {
    int32_t node = 0;
    for (const char c : text) {
      Entry& e = entries_[slot(key(node, c))];
      if (e.next < 0) {
        e = {key(node, c), static_cast<int32_t>(ids_.size())};
        ids_.push_back(Vocab::kNone);
      }
      node = e.next;
    }
    ids_[node] = id;
  }
  int32_t child(int32_t node, char byte) const { return entries_[slot(key(node, byte))].next; }
  TokenId id(int32_t node) const { return ids_[node]; }

 private:
  struct Entry {
    uint64_t key = 0;
    int32_t next = -1;
  };
  static uint64_t key(int32_t node, char byte) {
    return static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
  }
  size_t slot(uint64_t wanted) const {
    const size_t mask = entries_.size() - 1;
    size_t at = (wanted * 0x9E3779B97F4A7C15u) >> 24 & mask;
    while (entries_[at].next >= 0 && entries_[at].key != wanted) at = (at + 1) & mask;
    return at;
  }
  std::vector<Entry> entries_;
  std::vector<TokenId> ids_ = {Vocab::kNone};
};

class UnigramModel : public TokenModel {
 public:
  UnigramModel(Vocab vocab, std::vector<double> scores, std::optional<TokenId> unk_id,
               bool byte_fallback)
      : scores_(std::move(scores)), unk_id_(unk_id) {
    vocab_ = std::move(vocab);
    size_t bytes = 0;
    for (TokenId id = 0; id < vocab_.end_id(); ++id) bytes += vocab_.token(id).size();
    trie_.reserve(bytes);
    for (TokenId id = 0; id < vocab_.end_id(); ++id) trie_.add(vocab_.token(id), id);
    unk_score_ = scores_.empty() ? 0 : *std::min_element(scores_.begin(), scores_.end());
    unk_score_ -= kUnkPenalty;
    if (byte_fallback)
      for (int byte = 0; byte < 256; ++byte)
        byte_ids_.push_back(vocab_.find(fmt::format("<0x{:02X}>", byte)));
  }

  std::string kind() const override { return "Unigram"; }

  void tokenize(std::string_view piece, std::vector<TokenId>& out) const override {
    // The best way to reach each byte position.
    struct Step {
      double score = 0;
      TokenId id = Vocab::kNone;
      int32_t from = -1;
    };
    require(piece.size() < INT32_MAX, "a piece of text of more than 2 GB without a break");
    std::vector<Step> best(piece.size() + 1);
    const auto offer = [&](size_t end, double score, TokenId id, size_t from) {
      Step& s = best[end];
      if (s.from < 0 || score > s.score) s = {score, id, static_cast<int32_t>(from)};
    };
    for (size_t at = 0; at < piece.size();) {
      const double till_here = best[at].score;
      const size_t character = unicode::length_from_lead(piece[at]);
      bool covered = false;
      int32_t node = 0;
      for (size_t end = at; end < piece.size();) {
        node = trie_.child(node, piece[end]);
        if (node < 0) break;
        ++end;
        if (const TokenId id = trie_.id(node); id != Vocab::kNone) {
          offer(end, till_here + scores_[id], id, at);
          covered |= end - at == character;
        }
      }
      if (!covered) {
        require(unk_id_.has_value(),
                "the text has a character that is not in the tokenizer's vocabulary, and it has no "
                "unk_id");
        offer(at + character, till_here + unk_score_, *unk_id_, at);
      }
      at += character;
    }
    // Backwards: neighbouring unknown characters are one token.
    std::vector<std::pair<int32_t, int32_t>> spans;
    bool unk_before = false;
    for (auto end = static_cast<int32_t>(piece.size()); end > 0;) {
      const Step& s = best[end];
      const bool unk = unk_id_ && s.id == *unk_id_;
      if (unk && unk_before)
        spans.back().first = s.from;
      else
        spans.emplace_back(s.from, end);
      unk_before = unk;
      end = s.from;
    }
    for (auto it = spans.rbegin(); it != spans.rend(); ++it)
      add_token(piece.substr(it->first, it->second - it->first), out);
  }

 private:
  void add_token(std::string_view token, std::vector<TokenId>& out) const {
    if (const TokenId id = vocab_.find(token); id != Vocab::kNone) {
      out.push_back(id);
      return;
    }
    const auto byte_id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (!byte_ids_.empty() && std::all_of(token.begin(), token.end(),
                                          [&](char c) { return byte_id(c) != Vocab::kNone; })) {
      for (const char c : token) out.push_back(byte_id(c));
      return;
    }
    out.push_back(*unk_id_);
  }

  Trie trie_;
  std::vector<double> scores_;
  std::optional<TokenId> unk_id_;
  double unk_score_ = 0;
  std::vector<TokenId> byte_ids_;  // of <0x00> to <0xFF>; empty without byte fallback
};

}  // namespace

std::unique_ptr<TokenModel> parse_unigram(const JsonNode& node, const ModelTables& tables) {
  if (tables.vocab_kind != ModelTables::VocabKind::kArray)
    node.fail("the member \"vocab\", an array of [token, score], is missing");
  const auto count = static_cast<int64_t>(tables.scores.size());
  if (count == 0 || count > INT32_MAX) node.fail("vocab: {} tokens, expected at least one", count);
  Vocab vocab;
  vocab.reserve(tables.scores.size(), tables.tokens.bytes());
  for (int64_t i = 0; i < count; ++i) {
    vocab.add(tables.tokens[i], static_cast<TokenId>(i));
    if (!std::isfinite(tables.scores[i])) node.fail("vocab: entry {} has no finite score", i);
  }
  std::optional<TokenId> unk_id;
  if (const auto id = node.find("unk_id")) unk_id = static_cast<TokenId>(id->integer(0, count - 1));
  return std::make_unique<UnigramModel>(std::move(vocab), tables.scores, unk_id,
                                        node.boolean_or("byte_fallback", false));
}

}  // namespace lk
