#include "data/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/json_node.h"
#include "data/tokenizer/split.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/vocab.h"
#include "engine/files/json.h"

namespace lk {

namespace {

using Pair = std::pair<TokenId, TokenId>;

struct PairHash {
  size_t operator()(const Pair& p) const {
    const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(p.first)) << 32 |
                         static_cast<uint32_t>(p.second);
    return (key * 0x9E3779B97F4A7C15u) >> 17;
  }
};

// The distinct words of the texts with their counts.
class WordCounts {
 public:
  void add(std::string_view text, const Pattern& pattern) {
    std::string repaired;
    if (!unicode::is_valid(text)) {
      repaired = unicode::replace_invalid(text);
      text = repaired;
    }
    split(text, pattern, Behavior::kIsolated, false, [&](std::string_view word) {
      TokenId id = words_.find(word);
      if (id == Vocab::kNone) {
        id = static_cast<TokenId>(counts_.size());
        words_.add(word, id);
        counts_.push_back(0);
      }
      ++counts_[id];
    });
  }
  size_t size() const { return counts_.size(); }
  std::string_view word(size_t i) const { return words_.token(static_cast<TokenId>(i)); }
  int64_t count(size_t i) const { return counts_[i]; }

 private:
  Vocab words_;
  std::vector<int64_t> counts_;
};

// The words as sequences of token ids, and the counts of all neighbouring pairs, kept up to date
// while pairs are merged.
class PairCounts {
 public:
  PairCounts(const WordCounts& words, const std::array<TokenId, 256>& byte_ids) {
    for (size_t w = 0; w < words.size(); ++w) {
      const auto begin = static_cast<uint32_t>(ids_.size());
      for (const char c : words.word(w)) ids_.push_back(byte_ids[static_cast<unsigned char>(c)]);
      words_.push_back({begin, static_cast<uint32_t>(ids_.size()) - begin, words.count(w)});
      require(ids_.size() < UINT32_MAX, "the texts have more than 4 GB of distinct words");
    }
    for (uint32_t w = 0; w < words_.size(); ++w)
      for (uint32_t i = 0; i + 1 < words_[w].length; ++i) change(at(w, i), words_[w].count, w);
    push_changed();
  }

  // The most frequent pair; false when none is left.
  bool pop(Pair& pair, int64_t& count) {
    while (!heap_.empty()) {
      const Candidate top = heap_.top();
      heap_.pop();
      const int64_t now = pairs_.at(top.pair).count;
      if (now != top.count) {  // it shrank since: back to its place
        if (now > 0) heap_.push({now, top.pair});
        continue;
      }
      if (now <= 0) return false;
      pair = top.pair;
      count = now;
      return true;
    }
    return false;
  }

  // Replaces the pair by `id` in every word, leftmost first.
  void merge(const Pair& pair, TokenId id) {
    const std::vector<uint32_t> where = std::move(pairs_.at(pair).words);
    pairs_.at(pair) = {};
    for (const uint32_t w : where) merge_in(w, pair, id);
    push_changed();
  }

 private:
  struct Word {
    uint32_t begin, length;
    int64_t count;
  };
  struct Entry {
    int64_t count = 0;
    bool changed = false;         // grew since the last push
    std::vector<uint32_t> words;  // where it may stand; a word stands once
  };
  struct Candidate {
    int64_t count;
    Pair pair;
    bool operator<(const Candidate& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };

  Pair at(uint32_t word, uint32_t i) const {
    const uint32_t begin = words_[word].begin;
    return {ids_[begin + i], ids_[begin + i + 1]};
  }
  void change(const Pair& pair, int64_t by, uint32_t word) {
    Entry& e = pairs_[pair];
    e.count += by;
    if (by <= 0) return;
    if (!e.changed) {
      e.changed = true;
      changed_.push_back(pair);
    }
    if (e.words.empty() || e.words.back() != word) e.words.push_back(word);
  }
  void push_changed() {
    for (const Pair& pair : changed_) {
      Entry& e = pairs_.at(pair);
      e.changed = false;
      if (e.count > 0) heap_.push({e.count, pair});
    }
    changed_.clear();
  }
  void merge_in(uint32_t w, const Pair& pair, TokenId id) {
    Word& word = words_[w];
    TokenId* const ids = ids_.data() + word.begin;
    uint32_t out = 0;
    for (uint32_t in = 0; in < word.length; ++in) {
      const bool found =
          in + 1 < word.length && ids[in] == pair.first && ids[in + 1] == pair.second;
      if (!found) {
        ids[out++] = ids[in];
        continue;
      }
      // The pairs with the neighbours go, those of the new token come.
      if (out > 0) {
        change({ids[out - 1], pair.first}, -word.count, w);
        change({ids[out - 1], id}, word.count, w);
      }
      if (in + 2 < word.length) {
        change({pair.second, ids[in + 2]}, -word.count, w);
        change({id, ids[in + 2]}, word.count, w);
      }
      ids[out++] = id;
      ++in;
    }
    word.length = out;
  }

  std::vector<TokenId> ids_;
  std::vector<Word> words_;
  std::unordered_map<Pair, Entry, PairHash> pairs_;
  std::vector<Pair> changed_;
  std::priority_queue<Candidate> heap_;
};

// Tokens and merges as they are learnt.
struct Learnt {
  Vocab vocab;
  std::vector<std::string> merges;  // "left right"
};

Learnt learn(const WordCounts& words, const BpeTrainOptions& options) {
  Learnt out;
  auto next = static_cast<TokenId>(0);
  for (const auto& token : options.special_tokens) {
    require(!token.empty(), "a special token is empty");
    require(out.vocab.find(token) == Vocab::kNone, "the special token \"{}\" stands twice", token);
    out.vocab.add(token, next++);
  }
  // The bytes in the order of their characters.
  std::array<int, 256> order;
  for (int byte = 0; byte < 256; ++byte) order[byte] = byte;
  std::sort(order.begin(), order.end(), [](int a, int b) {
    return byte_level::character(static_cast<unsigned char>(a)) <
           byte_level::character(static_cast<unsigned char>(b));
  });
  std::array<TokenId, 256> byte_ids{};
  for (const int byte : order) {
    std::string token;
    unicode::append(token, byte_level::character(static_cast<unsigned char>(byte)));
    byte_ids[byte] = out.vocab.find(token);
    if (byte_ids[byte] == Vocab::kNone) {
      byte_ids[byte] = next;
      out.vocab.add(token, next++);
    }
  }
  require(options.vocab_size >= next && options.vocab_size <= 100'000'000,
          "vocab_size is {}, expected from {} (special tokens and bytes) to 100000000",
          options.vocab_size, next);

  PairCounts pairs(words, byte_ids);
  Pair pair;
  int64_t count = 0;
  while (next < options.vocab_size && pairs.pop(pair, count) &&
         count >= std::max<int64_t>(options.min_frequency, 1)) {
    const std::string left(out.vocab.token(pair.first)), right(out.vocab.token(pair.second));
    TokenId id = out.vocab.find(left + right);  // two pairs can make the same token
    if (id == Vocab::kNone) {
      id = next++;
      out.vocab.add(left + right, id);
    }
    out.merges.push_back(left + " " + right);
    pairs.merge(pair, id);
  }
  return out;
}

std::string json_text(std::string_view text) { return Json(text).dump(); }

// The tokenizer.json, laid out as Hugging Face's tokenizers lay it out.
std::string to_json(const Learnt& learnt, const BpeTrainOptions& options) {
  const auto byte_level = [](bool use_regex) {
    return fmt::format(
        R"({{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": {}}})",
        use_regex);
  };
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  out += "  \"added_tokens\": [";
  for (size_t i = 0; i < options.special_tokens.size(); ++i)
    out += fmt::format(
        "{}\n    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, "
        "\"rstrip\": false, \"normalized\": false, \"special\": true}}",
        i ? "," : "", i, json_text(options.special_tokens[i]));
  out += "\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": ";
  if (options.pattern == kGpt2Pattern)
    out += byte_level(true);
  else
    out += fmt::format(
        R"({{"type": "Sequence", "pretokenizers": [{{"type": "Split", "pattern": {{"Regex": {}}}, )"
        R"("behavior": "Isolated", "invert": false}}, {}]}})",
        json_text(options.pattern), byte_level(false));
  out += ",\n  \"post_processor\": null,\n  \"decoder\": " + byte_level(true);
  out +=
      ",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": "
      "null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n"
      "    \"vocab\": {";
  for (TokenId id = 0; id < learnt.vocab.end_id(); ++id)
    out += fmt::format("{}\n      {}: {}", id ? "," : "", json_text(learnt.vocab.token(id)), id);
  out += "\n    },\n    \"merges\": [";
  for (size_t i = 0; i < learnt.merges.size(); ++i)
    out += fmt::format("{}\n      {}", i ? "," : "", json_text(learnt.merges[i]));
  return out += "\n    ]\n  }\n}\n";
}

Pattern word_pattern(const std::string& pattern) {
  const Json json = {{"Regex", pattern}};
  const std::string name = "the training options";
  return parse_pattern(JsonNode(json, name, "pattern"));
}

Tokenizer train(const WordCounts& words, const BpeTrainOptions& options) {
  require(words.size() > 0, "there is no text to train the tokenizer on");
  return Tokenizer::from_json(to_json(learn(words, options), options), "the trained tokenizer");
}

}  // namespace

Tokenizer train_byte_level_bpe(std::span<const std::string> texts, const BpeTrainOptions& options) {
  const Pattern pattern = word_pattern(options.pattern);
  WordCounts words;
  for (const auto& text : texts) words.add(text, pattern);
  return train(words, options);
}

Tokenizer train_byte_level_bpe_from_files(std::span<const std::filesystem::path> files,
                                          const BpeTrainOptions& options) {
  const Pattern pattern = word_pattern(options.pattern);
  WordCounts words;
  for (const auto& file : files) words.add(read_text(file), pattern);
  return train(words, options);
}

}  // namespace lk
