#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/decoder.h"
#include "data/tokenizer/files.h"
#include "data/tokenizer/json_reader.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/word_cache.h"
#include "engine/files/atomic_file.h"

namespace lk {

namespace {

// Word caches that wait for the next call: one for every thread that encodes at a time.
class CachePool {
 public:
  std::unique_ptr<WordCache> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<WordCache>();
    auto cache = std::move(free_.back());
    free_.pop_back();
    return cache;
  }
  void give(std::unique_ptr<WordCache> cache) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(cache));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> free_;
};

}  // namespace

struct Tokenizer::Parts {
  std::string json;
  std::unique_ptr<TokenModel> model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;
  AddedTokens added;
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
  int64_t end_id = 0;
  mutable CachePool caches;

  std::vector<TokenId> ids_of(std::string_view text) const;
  Encoding assemble(std::vector<TokenId> a, std::optional<std::vector<TokenId>> b,
                    bool add_special_tokens) const;
  std::optional<std::string_view> token_of(TokenId id) const;
};

std::vector<TokenId> Tokenizer::Parts::ids_of(std::string_view text) const {
  std::string repaired;
  if (!unicode::is_valid(text)) {
    repaired = unicode::replace_invalid(text);
    text = repaired;
  }
  std::vector<TokenId> out;
  out.reserve(text.size() / 4 + 8);
  auto cache = caches.take();
  std::string encoded;

  const auto look_up = [&](std::string_view part) {
    const uint64_t hash = hash_text(part);
    std::span<const TokenId> known;
    if (part.size() <= WordCache::kMaxText && cache->find(part, hash, known)) {
      out.insert(out.end(), known.begin(), known.end());
      return;
    }
    const size_t before = out.size();
    if (pre_tokenizer.byte_level) {
      encoded.clear();
      byte_level::append_encoded(encoded, part);
      model->tokenize(encoded, out);
    } else {
      model->tokenize(part, out);
    }
    cache->add(part, hash, std::span(out).subspan(before));
  };
  const auto model_piece = [&](Piece piece) {
    if (piece.text.empty()) return;
    if (pre_tokenizer.byte_level)
      look_up(piece.text);  // not yet in the characters that the model knows
    else
      model->cut(piece.text, look_up);
  };
  const auto pre_tokenize = [&](Piece piece) {
    if (pre_tokenizer.step)
      pre_tokenizer.step(piece, model_piece);
    else
      model_piece(piece);
  };
  const auto split_normalized = [&](std::string_view normal, bool at_start) {
    added.split_normalized(normal, [&](Found f) {
      if (f.id != Vocab::kNone)
        out.push_back(f.id);
      else
        pre_tokenize({f.text, at_start && f.text.data() == normal.data()});
    });
  };
  added.split_raw(text, [&](Found f) {
    if (f.id != Vocab::kNone) {
      out.push_back(f.id);
      return;
    }
    const bool at_start = f.text.data() == text.data();
    if (!normalizer) return split_normalized(f.text, at_start);
    NormalText normal{std::string(f.text), at_start};
    normalizer(normal);
    split_normalized(normal.text, normal.at_start);
  });
  caches.give(std::move(cache));
  return out;
}

Encoding Tokenizer::Parts::assemble(std::vector<TokenId> a, std::optional<std::vector<TokenId>> b,
                                    bool add_special_tokens) const {
  std::vector<Segment> texts;
  texts.push_back({std::move(a), {}});
  if (b) texts.push_back({*std::move(b), {}});
  for (size_t i = 0; i < texts.size(); ++i)
    texts[i].types.assign(texts[i].ids.size(), static_cast<int32_t>(i));
  if (post_processor) texts = post_processor(std::move(texts), add_special_tokens);
  Encoding out;
  for (const Segment& s : texts) {
    out.ids.insert(out.ids.end(), s.ids.begin(), s.ids.end());
    out.type_ids.insert(out.type_ids.end(), s.types.begin(), s.types.end());
  }
  return out;
}

std::optional<std::string_view> Tokenizer::Parts::token_of(TokenId id) const {
  if (const AddedToken* t = added.find(id)) return t->content;
  if (model->vocab().has(id)) return model->vocab().token(id);
  return std::nullopt;
}

Tokenizer Tokenizer::from_json(std::string json, const std::string& name) {
  auto parts = std::make_shared<Parts>();
  parts->json = std::move(json);
  const TokenizerJson read = read_tokenizer_json(parts->json, name);
  const JsonNode root(read.document, name, "");
  parts->model = parse_model(root.at("model"), read.tables);
  if (const auto node = root.find("normalizer")) parts->normalizer = parse_normalizer(*node);
  if (const auto node = root.find("pre_tokenizer"))
    parts->pre_tokenizer = parse_pre_tokenizer(*node);
  if (const auto node = root.find("post_processor"))
    parts->post_processor = parse_post_processor(*node);
  if (const auto node = root.find("decoder")) parts->decoder = parse_decoder(*node);
  if (const auto node = root.find("added_tokens"))
    parts->added.parse(*node, parts->model->vocab(), parts->normalizer);
  if (const auto node = root.find("truncation")) parts->truncation = parse_truncation(*node);
  if (const auto node = root.find("padding")) parts->padding = parse_padding(*node);
  parts->end_id = parts->model->vocab().end_id();
  for (const auto& t : parts->added.all())
    parts->end_id = std::max<int64_t>(parts->end_id, t.id + 1);
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::load(const std::filesystem::path& file_or_folder) {
  TokenizerSource source = read_tokenizer_files(file_or_folder);
  return from_json(std::move(source.json), source.name);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (!parts_->post_processor || !add_special_tokens) return parts_->ids_of(text);
  return encode_with_types(text, add_special_tokens).ids;
}

Encoding Tokenizer::encode_with_types(std::string_view text, bool add_special_tokens) const {
  return parts_->assemble(parts_->ids_of(text), std::nullopt, add_special_tokens);
}

Encoding Tokenizer::encode_pair(std::string_view a, std::string_view b,
                                bool add_special_tokens) const {
  return parts_->assemble(parts_->ids_of(a), parts_->ids_of(b), add_special_tokens);
}

Encoding Tokenizer::encode_truncated(std::string_view a, std::optional<std::string_view> b,
                                     const Truncation& truncation, bool add_special_tokens) const {
  std::vector<TokenId> first = parts_->ids_of(a);
  std::optional<std::vector<TokenId>> second;
  if (b) second = parts_->ids_of(*b);
  const int special = add_special_tokens ? special_tokens_added(b.has_value()) : 0;
  truncate(first, second ? &*second : nullptr, special, truncation);
  return parts_->assemble(std::move(first), std::move(second), add_special_tokens);
}

Encoding Tokenizer::assemble(std::vector<TokenId> a, std::optional<std::vector<TokenId>> b,
                             bool add_special_tokens) const {
  return parts_->assemble(std::move(a), std::move(b), add_special_tokens);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    const auto token = parts_->token_of(id);
    if (token && !(skip_special_tokens && parts_->added.is_special(*token)))
      tokens.emplace_back(*token);
  }
  if (parts_->decoder) parts_->decoder(tokens);
  std::string out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !parts_->decoder) out += ' ';
    out += tokens[i];
  }
  return out;
}

int64_t Tokenizer::vocab_size() const { return parts_->end_id; }

std::optional<TokenId> Tokenizer::token_id(std::string_view token) const {
  if (const AddedToken* t = parts_->added.find(token)) return t->id;
  const TokenId id = parts_->model->vocab().find(token);
  return id == Vocab::kNone ? std::nullopt : std::optional(id);
}

std::string Tokenizer::token(TokenId id) const {
  const auto token = parts_->token_of(id);
  require(token.has_value(), "the tokenizer has no token of id {}; its ids go from 0 to {}", id,
          vocab_size() - 1);
  return std::string(*token);
}

bool Tokenizer::is_special(TokenId id) const {
  const AddedToken* t = parts_->added.find(id);
  return t && t->special;
}

std::string Tokenizer::kind() const { return parts_->model->kind(); }

int Tokenizer::special_tokens_added(bool pair) const {
  std::optional<std::vector<TokenId>> second;
  if (pair) second.emplace();
  return static_cast<int>(parts_->assemble({}, std::move(second), true).ids.size());
}

const std::optional<Truncation>& Tokenizer::truncation() const { return parts_->truncation; }
const std::optional<Padding>& Tokenizer::padding() const { return parts_->padding; }

void Tokenizer::save(const std::filesystem::path& tokenizer_json) const {
  write_file_atomically(tokenizer_json, parts_->json);
}

}  // namespace lk
