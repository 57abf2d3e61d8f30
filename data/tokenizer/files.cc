#include "data/tokenizer/files.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "data/tokenizer/json_node.h"
#include "engine/files/json.h"

namespace lk {

namespace {

namespace fs = std::filesystem;

// The lines of a text, without their line ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Json added_token(std::string_view content, const Json& id, bool lstrip = false) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", lstrip},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

// A tokenizer.json without the model.
Json empty_tokenizer() {
  return {{"version", "1.0"},          {"truncation", nullptr},
          {"padding", nullptr},        {"added_tokens", Json::array()},
          {"normalizer", nullptr},     {"pre_tokenizer", nullptr},
          {"post_processor", nullptr}, {"decoder", nullptr}};
}

Json from_vocab_and_merges(const fs::path& vocab_file, const fs::path& merges_file) {
  Json vocab = read_json(vocab_file);
  require(vocab.is_object(), "{}: expected an object of token to id", vocab_file.string());
  Json merges = Json::array();
  const std::string text = read_text(merges_file);
  for (const auto line : lines_of(text))
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);

  Json out = empty_tokenizer();
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  out["pre_tokenizer"] = byte_level;
  out["decoder"] = byte_level;
  out["post_processor"] = byte_level;
  const bool roberta = vocab.contains("<s>") && vocab.contains("</s>") && vocab.contains("<mask>");
  if (roberta) {
    out["post_processor"] = {{"type", "RobertaProcessing"},
                             {"sep", Json::array({"</s>", vocab["</s>"]})},
                             {"cls", Json::array({"<s>", vocab["<s>"]})},
                             {"trim_offsets", true},
                             {"add_prefix_space", false}};
  }
  for (const char* token : {"<|endoftext|>", "<s>", "<pad>", "</s>", "<unk>", "<mask>"}) {
    if (!vocab.contains(token) || (std::string_view(token) != "<|endoftext|>") != roberta) continue;
    out["added_tokens"].push_back(
        added_token(token, vocab[token], std::string_view(token) == "<mask>"));
  }
  out["model"] = {{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", std::move(merges)}};
  return out;
}

Json from_vocab_text(const fs::path& file, const fs::path& config_file) {
  bool lowercase = true;
  Json strip_accents = nullptr;
  if (fs::exists(config_file)) {
    const Json config = read_json(config_file);
    const std::string name = config_file.string();
    const JsonNode root(config, name, "");
    lowercase = root.boolean_or("do_lower_case", true);
    if (const auto strip = root.find("strip_accents")) strip_accents = strip->boolean();
  }
  const std::string text = read_text(file);
  Json vocab = Json::object();
  int64_t id = 0;
  for (const auto line : lines_of(text)) vocab[std::string(line)] = id++;
  Json out = empty_tokenizer();
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (vocab.contains(token)) out["added_tokens"].push_back(added_token(token, vocab[token]));
  for (const char* token : {"[UNK]", "[CLS]", "[SEP]"})
    require(vocab.contains(token), "{}: the token {} is missing; is this the vocabulary of a BERT?",
            file.string(), token);
  out["normalizer"] = {{"type", "BertNormalizer"},
                       {"clean_text", true},
                       {"handle_chinese_chars", true},
                       {"strip_accents", strip_accents},
                       {"lowercase", lowercase}};
  out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  out["post_processor"] = {{"type", "BertProcessing"},
                           {"sep", Json::array({"[SEP]", vocab["[SEP]"]})},
                           {"cls", Json::array({"[CLS]", vocab["[CLS]"]})}};
  out["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  out["model"] = {{"type", "WordPiece"},
                  {"unk_token", "[UNK]"},
                  {"continuing_subword_prefix", "##"},
                  {"max_input_chars_per_word", 100},
                  {"vocab", std::move(vocab)}};
  return out;
}

}  // namespace

TokenizerSource read_tokenizer_files(const fs::path& path) {
  if (!fs::is_directory(path)) return {read_text(path), path.string()};
  if (fs::exists(path / "tokenizer.json"))
    return {read_text(path / "tokenizer.json"), (path / "tokenizer.json").string()};
  const auto write = [](const Json& json, const fs::path& file) {
    try {
      return json.dump();
    } catch (const Json::exception&) {
      fail("{}: is not UTF-8 text", file.string());
    }
  };
  const fs::path vocab = path / "vocab.json", merges = path / "merges.txt";
  if (fs::exists(vocab) && fs::exists(merges))
    return {write(from_vocab_and_merges(vocab, merges), merges), path.string()};
  if (fs::exists(path / "vocab.txt"))
    return {write(from_vocab_text(path / "vocab.txt", path / "tokenizer_config.json"),
                  path / "vocab.txt"),
            path.string()};
  fail("{}: no tokenizer here; expected tokenizer.json, or vocab.json and merges.txt, or vocab.txt",
       path.string());
}

}  // namespace lk
