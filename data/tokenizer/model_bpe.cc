#include "data/tokenizer/model_bpe.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <queue>

#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/unicode.h"

namespace lk {

namespace {

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, which stands for a space

uint64_t pack(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

size_t MergeTable::slot(uint64_t pair) const {
  const size_t mask = entries_.size() - 1;
  size_t at = (pair * 0x9E3779B97F4A7C15u) >> 20 & mask;
  while (entries_[at].pair != kFree && entries_[at].pair != pair) at = (at + 1) & mask;
  return at;
}

void MergeTable::reserve(size_t count) {
  entries_.assign(std::bit_ceil(std::max<size_t>(2 * count, 2)), Entry{});
}

void MergeTable::add(TokenId left, TokenId right, Merge merge) {
  const uint64_t pair = pack(left, right);
  entries_[slot(pair)] = {pair, merge};
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  const Entry& e = entries_[slot(pack(left, right))];
  return e.pair == kFree ? Merge{} : e.merge;
}

CutTable::CutTable(const Vocab& vocab) : joined_(129 * 256) {
  for (int first = 0; first < 129; ++first) {
    const char c = static_cast<char>(first);
    const auto text = first == 128 ? kMark : std::string_view(&c, 1);
    if (vocab.find(text) == Vocab::kNone) std::fill_n(joined_.begin() + first * 256, 256, true);
  }
}

// The row of a text by its first character, or -1 when it has none.
int CutTable::row(std::string_view text) {
  if (text.starts_with(kMark)) return 128;
  return text.empty() || (text[0] & 0x80) ? -1 : text[0];
}

void CutTable::join(std::string_view left, std::string_view right, bool any_byte) {
  const int first = row(right);
  if (first < 0 || left.empty()) return;
  const auto begin = joined_.begin() + first * 256;
  if (any_byte)
    std::fill_n(begin, 256, true);
  else
    begin[static_cast<unsigned char>(left.back())] = true;
}

bool CutTable::allows(std::string_view text, size_t at) const {
  const int first = row(text.substr(at));
  return first >= 0 && !joined_[first * 256 + static_cast<unsigned char>(text[at - 1])];
}

BpeModel::BpeModel(Vocab vocab, MergeTable merges, BpeOptions options, std::optional<CutTable> cuts)
    : merges_(std::move(merges)), options_(std::move(options)), cuts_(std::move(cuts)) {
  vocab_ = std::move(vocab);
  if (options_.unk_token) unk_id_ = vocab_.find(*options_.unk_token);
  if (options_.byte_fallback)
    for (int byte = 0; byte < 256; ++byte)
      byte_ids_.push_back(vocab_.find(fmt::format("<0x{:02X}>", byte)));
}

void BpeModel::cut(std::string_view piece, TextSink sink) const {
  constexpr size_t kLong = 48;  // elsewhere than before a mark only to keep pieces short
  size_t begin = 0;
  if (cuts_)
    for (size_t at = 1; at < piece.size(); ++at) {
      const bool mark = piece[at] == kMark[0];
      if ((mark || at - begin >= kLong) && cuts_->allows(piece, at)) {
        sink(piece.substr(begin, at - begin));
        begin = at;
      }
    }
  sink(piece.substr(begin));
}

bool BpeModel::add_bytes(std::string_view character, std::vector<TokenId>& out) const {
  const auto id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  for (const char c : character)
    if (id(c) == Vocab::kNone) return false;
  for (const char c : character) out.push_back(id(c));
  return true;
}

void BpeModel::add_characters(std::string_view piece, std::vector<TokenId>& out) const {
  const bool affixes =
      !options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty();
  bool pending_unk = false;
  std::string affixed;
  for (size_t at = 0; at < piece.size();) {
    const size_t length = unicode::length_from_lead(piece[at]);
    std::string_view character = piece.substr(at, length);
    if (affixes) {
      affixed = at == 0 ? "" : options_.continuing_subword_prefix;
      affixed += character;
      if (at + length == piece.size()) affixed += options_.end_of_word_suffix;
      character = affixed;
    }
    at += length;
    const TokenId id = vocab_.find(character);
    if (id != Vocab::kNone) {
      if (pending_unk) out.push_back(unk_id_);
      pending_unk = false;
      out.push_back(id);
    } else if (options_.byte_fallback && add_bytes(character, out)) {
      // An unknown token before these bytes comes after them: so does the reference implementation.
    } else if (options_.unk_token) {
      require(unk_id_ != Vocab::kNone,
              "the tokenizer's unk_token \"{}\" is not in its vocabulary, and the text has a "
              "character that is not either",
              *options_.unk_token);
      if (pending_unk && !options_.fuse_unk) out.push_back(unk_id_);
      pending_unk = true;
    }
  }
  if (pending_unk) out.push_back(unk_id_);
}

void BpeModel::merge_short(std::vector<TokenId>& ids, size_t begin) const {
  constexpr int32_t kNever = std::numeric_limits<int32_t>::max();
  constexpr size_t kMost = 64;
  int32_t ranks[kMost];
  TokenId merged[kMost];
  TokenId* const id = ids.data() + begin;
  size_t count = ids.size() - begin;
  const auto look_up = [&](size_t i) {
    const auto m = merges_.find(id[i], id[i + 1]);
    ranks[i] = m.rank < 0 ? kNever : m.rank;
    merged[i] = m.id;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    const size_t best = std::min_element(ranks, ranks + count - 1) - ranks;
    if (ranks[best] == kNever) break;
    id[best] = merged[best];
    std::copy(id + best + 2, id + count, id + best + 1);
    std::copy(ranks + best + 1, ranks + count - 1, ranks + best);
    std::copy(merged + best + 1, merged + count - 1, merged + best);
    --count;
    if (best > 0) look_up(best - 1);
    if (best + 1 < count) look_up(best);
  }
  ids.resize(begin + count);
}

void BpeModel::merge_long(std::vector<TokenId>& ids, size_t begin) const {
  // A linked list of symbols and a heap of candidates (rank, position); a candidate whose symbols
  // have changed since is dropped when it comes up.
  struct Candidate {
    int32_t rank;
    int32_t at;
    bool operator>(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
  };
  require(ids.size() - begin < INT32_MAX, "a piece of text of more than 2 GB without a break");
  const auto count = static_cast<int32_t>(ids.size() - begin);
  TokenId* const id = ids.data() + begin;
  std::vector<int32_t> next(count), previous(count);
  for (int32_t i = 0; i < count; ++i) {
    previous[i] = i - 1;
    next[i] = i + 1 < count ? i + 1 : -1;
  }
  std::vector<Candidate> start;
  for (int32_t i = 0; i + 1 < count; ++i)
    if (const auto m = merges_.find(id[i], id[i + 1]); m.rank >= 0) start.push_back({m.rank, i});
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap(std::greater<>{},
                                                                              std::move(start));
  constexpr TokenId kGone = -1;
  const auto propose = [&](int32_t left, int32_t right) {
    if (left < 0 || right < 0) return;
    if (const auto m = merges_.find(id[left], id[right]); m.rank >= 0) heap.push({m.rank, left});
  };
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    const int32_t right = next[top.at];
    if (id[top.at] == kGone || right < 0) continue;
    const auto m = merges_.find(id[top.at], id[right]);
    if (m.rank != top.rank) continue;
    id[top.at] = m.id;
    id[right] = kGone;
    next[top.at] = next[right];
    if (next[right] >= 0) previous[next[right]] = top.at;
    propose(previous[top.at], top.at);
    propose(top.at, next[top.at]);
  }
  ids.erase(std::remove(ids.begin() + static_cast<ptrdiff_t>(begin), ids.end(), kGone), ids.end());
}

void BpeModel::tokenize(std::string_view piece, std::vector<TokenId>& out) const {
  if (options_.ignore_merges) {
    if (const TokenId id = vocab_.find(piece); id != Vocab::kNone) {
      out.push_back(id);
      return;
    }
  }
  const size_t begin = out.size();
  add_characters(piece, out);
  if (out.size() - begin <= 64)
    merge_short(out, begin);
  else
    merge_long(out, begin);
}

std::unique_ptr<TokenModel> parse_bpe(const JsonNode& node, const ModelTables& tables) {
  if (const auto dropout = node.find("dropout"); dropout && dropout->number() != 0)
    node.fail("dropout {} makes the ids random, which is not supported; set it to null",
              dropout->number());
  BpeOptions options;
  if (const auto unk = node.find("unk_token")) options.unk_token = unk->text();
  options.continuing_subword_prefix = node.text_or("continuing_subword_prefix", "");
  options.end_of_word_suffix = node.text_or("end_of_word_suffix", "");
  options.fuse_unk = node.boolean_or("fuse_unk", false);
  options.byte_fallback = node.boolean_or("byte_fallback", false);
  options.ignore_merges = node.boolean_or("ignore_merges", false);
  if (!tables.has_merges) node.fail("the member \"merges\" is missing");

  Vocab vocab = parse_vocab(node, tables);
  const size_t count = tables.right.size();
  if (count > INT32_MAX) node.fail("merges: {} entries are too many", count);
  MergeTable merges;
  merges.reserve(count);
  const bool affixes =
      !options.continuing_subword_prefix.empty() || !options.end_of_word_suffix.empty();
  // Not where it matters where a piece begins and ends, nor where unknown characters vanish, so
  // that their neighbours meet.
  std::optional<CutTable> cuts;
  if (!options.ignore_merges && !affixes && options.unk_token) cuts.emplace(vocab);
  std::string joined;
  for (size_t i = 0; i < count; ++i) {
    const auto left = tables.left[i], right = tables.right[i];
    const auto id_of = [&](std::string_view token) {
      const TokenId id = vocab.find(token);
      if (id == Vocab::kNone)
        node.fail("merges: entry {} joins \"{}\" and \"{}\", but \"{}\" is not in the vocabulary",
                  i, left, right, token);
      return id;
    };
    const size_t prefix = options.continuing_subword_prefix.size();
    if (right.size() < prefix)
      node.fail("merges: entry {}: \"{}\" is shorter than continuing_subword_prefix", i, right);
    joined.assign(left).append(right.substr(prefix));
    const TokenId left_id = id_of(left), right_id = id_of(right);
    merges.add(left_id, right_id, {static_cast<int32_t>(i), id_of(joined)});
    // The unknown token and those of bytes stand for other text than their own.
    if (cuts) cuts->join(left, right, left == options.unk_token || left.starts_with("<0x"));
  }
  return std::make_unique<BpeModel>(std::move(vocab), std::move(merges), std::move(options),
                                    std::move(cuts));
}

}  // namespace lk
