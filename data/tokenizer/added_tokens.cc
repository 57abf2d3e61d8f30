#include "data/tokenizer/added_tokens.h"

#include <algorithm>

#include "data/tokenizer/json_node.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

// The code point that ends at `end` > 0, and where it begins.
size_t start_of_last(std::string_view text, size_t end) {
  size_t at = end - 1;
  while ((text[at] & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

int32_t TextFinder::child(int32_t node, unsigned char byte) const {
  for (const auto& [b, next] : nodes_[node].next)
    if (b == byte) return next;
  return -1;
}

void TextFinder::add(std::string_view text, size_t index) {
  if (text.empty()) return;
  starts_[static_cast<unsigned char>(text[0])] = true;
  int32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    int32_t next = child(node, byte);
    if (next < 0) {
      next = static_cast<int32_t>(nodes_.size());
      nodes_[node].next.emplace_back(byte, next);
      nodes_.emplace_back();
    }
    node = next;
  }
  if (nodes_[node].index < 0) nodes_[node].index = static_cast<int32_t>(index);
}

std::optional<TextFinder::Match> TextFinder::find(std::string_view text, size_t from) const {
  if (empty()) return std::nullopt;
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
    std::optional<Match> best;
    int32_t node = 0;
    for (size_t at = begin; at < text.size(); ++at) {
      node = child(node, static_cast<unsigned char>(text[at]));
      if (node < 0) break;
      if (nodes_[node].index >= 0) best = {begin, at + 1, static_cast<size_t>(nodes_[node].index)};
    }
    if (best) return best;
  }
  return std::nullopt;
}

void AddedTokens::parse(const JsonNode& node, const Vocab& vocab, const Normalizer& normalizer) {
  node.expect_array();
  TokenId next_id = static_cast<TokenId>(vocab.count());
  for (size_t i = 0; i < node.size(); ++i) {
    const JsonNode item = node.item(i);
    AddedToken t;
    t.content = item.at("content").text();
    const auto id = static_cast<TokenId>(item.at("id").integer(0, INT32_MAX));
    t.special = item.boolean_or("special", false);
    t.single_word = item.boolean_or("single_word", false);
    t.lstrip = item.boolean_or("lstrip", false);
    t.rstrip = item.boolean_or("rstrip", false);
    t.normalized = item.boolean_or("normalized", !t.special);
    if (t.content.empty()) item.fail("the content is empty");
    if (by_content_.contains(t.content)) item.fail("the token \"{}\" stands twice", t.content);
    // The reference goes by the vocabulary, else by the next free id, whatever the file says.
    t.id = vocab.find(t.content);
    const bool in_vocab = t.id != Vocab::kNone;
    if (!in_vocab) t.id = next_id;
    if (t.id != id)
      item.fail("token \"{}\" has the id {}, expected {}, {}", t.content, id, t.id,
                in_vocab ? "its id in the vocabulary" : "the next free one");
    if (!in_vocab && vocab.has(t.id))
      item.fail("token \"{}\" has the id {} of \"{}\"", t.content, id, vocab.token(t.id));
    next_id = std::max(next_id, t.id + 1);
    by_content_.emplace(t.content, tokens_.size());
    by_id_.emplace(t.id, tokens_.size());
    if (t.normalized && normalizer) {
      NormalText normal{t.content, true};
      normalizer(normal);
      normalized_.add(normal.text, tokens_.size());
    } else {
      (t.normalized ? normalized_ : raw_).add(t.content, tokens_.size());
    }
    tokens_.push_back(std::move(t));
  }
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto it = by_content_.find(std::string(content));
  return it == by_content_.end() ? nullptr : &tokens_[it->second];
}

const AddedToken* AddedTokens::find(TokenId id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

bool AddedTokens::is_special(std::string_view content) const {
  const AddedToken* t = find(content);
  return t && t->special;
}

void AddedTokens::split(std::string_view text, const TextFinder& finder, FoundSink sink) const {
  size_t done = 0;
  size_t blanks = 0, blanks_end = 0;  // the last run that a token took, so that none is read twice
  for (size_t from = 0; const auto match = finder.find(text, from);) {
    from = match->end;
    const AddedToken& t = tokens_[match->index];
    size_t begin = match->begin, end = match->end;
    if (t.single_word) {
      const auto word_at = [&](size_t at) {
        return unicode::is_word(unicode::decode_at(text, at).value);
      };
      if ((begin > 0 && word_at(start_of_last(text, begin))) || (end < text.size() && word_at(end)))
        continue;
    }
    const auto space_at = [&](size_t at) {
      return unicode::is_white_space(unicode::decode_at(text, at).value);
    };
    while (t.lstrip && begin > done && space_at(start_of_last(text, begin)))
      begin = start_of_last(text, begin);
    if (t.rstrip && (end < blanks || end > blanks_end)) {
      blanks = blanks_end = end;
      while (blanks_end < text.size() && space_at(blanks_end))
        blanks_end += unicode::length_from_lead(text[blanks_end]);
    }
    if (t.rstrip) end = blanks_end;
    if (begin > done) sink({text.substr(done, begin - done)});
    sink({text.substr(begin, end - begin), t.id});
    done = end;
  }
  if (done < text.size()) sink({text.substr(done)});
}

}  // namespace lk
