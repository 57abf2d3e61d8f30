#include "tools/llama2c/vocabulary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "data/tokenizer/unicode.h"
#include "engine/error.h"
#include "engine/files/json.h"

namespace lk {
namespace {

using nlohmann::json;

struct Piece {
  std::string text;
  float score;
};

// SentencePiece's mark of a blank.
constexpr const char* kBlank = "\u2581";

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::vector<Piece> read_pieces(const std::filesystem::path& file, int64_t count) {
  const std::string bytes = read_text(file), name = file.string();
  size_t at = 4;  // after the longest piece's length
  const auto take = [&](size_t n, int64_t id) {
    require(at <= bytes.size() && n <= bytes.size() - at,
            "{}: the file ends within token {} of {}; it is truncated, or belongs to a model of "
            "fewer tokens",
            name, id, count);
    at += n;
    return bytes.data() + at - n;
  };
  std::vector<Piece> pieces;
  for (int64_t id = 0; id < count; ++id) {
    float score;
    int32_t length;
    std::memcpy(&score, take(4, id), 4);
    std::memcpy(&length, take(4, id), 4);
    require(length >= 0, "{}: token {} has a length of {}", name, id, length);
    const std::string text(take(static_cast<size_t>(length), id), static_cast<size_t>(length));
    require(unicode::is_valid(text), "{}: token {} is no UTF-8", name, id);
    require(score == score, "{}: token {} has no score", name, id);
    pieces.push_back({replace_all(text, " ", kBlank), score});
  }
  require(at == bytes.size(), "{}: {} bytes are left after {} tokens; it belongs to another model",
          name, bytes.size() - at, count);
  return pieces;
}

}  // namespace

json read_llama2c_vocabulary(const std::filesystem::path& file, int64_t vocab_size) {
  require(vocab_size > 3, "{}: a vocabulary of {} tokens has no room for the special ones",
          file.string(), vocab_size);
  std::vector<Piece> pieces = read_pieces(file, vocab_size);
  // Their texts in the file are what llama2.c prints for them.
  const char* special[] = {"<unk>", "<s>", "</s>"};
  for (size_t i = 0; i < 3; ++i) pieces[i].text = special[i];
  std::unordered_map<std::string, int32_t> ids;
  json vocab = json::object();
  for (size_t i = 0; i < pieces.size(); ++i) {
    require(ids.emplace(pieces[i].text, static_cast<int32_t>(i)).second,
            "{}: the token '{}' is there twice", file.string(), pieces[i].text);
    vocab[pieces[i].text] = i;
  }
  // Every pair of pieces that makes a piece; what scores higher is merged first.
  struct Merge {
    float score;
    int32_t left, right;
  };
  std::vector<Merge> merges;
  for (const Piece& piece : pieces)
    for (size_t cut = 1; cut < piece.text.size(); ++cut) {
      const auto left = ids.find(piece.text.substr(0, cut)),
                 right = ids.find(piece.text.substr(cut));
      if (left != ids.end() && right != ids.end())
        merges.push_back({piece.score, left->second, right->second});
    }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::pair(a.left, a.right) < std::pair(b.left, b.right);
  });
  json pairs = json::array(), added = json::array();
  for (const Merge& m : merges)
    pairs.push_back(
        {pieces[static_cast<size_t>(m.left)].text, pieces[static_cast<size_t>(m.right)].text});
  for (size_t i = 0; i < 3; ++i)
    added.push_back({{"id", i},
                     {"content", special[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const json bos{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const auto text = [](const char* id, int type) {
    return json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  const json blank{{"String", " "}}, mark{{"String", kBlank}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", kBlank}},
              {{"type", "Replace"}, {"pattern", blank}, {"content", kBlank}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {bos, text("A", 0)}},
            {"pair", {bos, text("A", 0), text("B", 1)}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", mark}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"vocab", vocab},
            {"merges", pairs}}}};
}

}  // namespace lk
