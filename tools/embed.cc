// Sentence embeddings: a vector for each line of a file.
#include <CLI/CLI.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/safetensors.h"
#include "tools/embed/settings.h"
#include "tools/train/cli.h"
#include "tools/train/quant_options.h"
#include "tools/train/run_model.h"

using namespace lk;

namespace {

std::vector<std::string> read_lines(const std::string& file) {
  std::ifstream in(file);
  require(in.is_open(), "{}: cannot be opened", file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  require(!lines.empty(), "{}: holds no line", file);
  return lines;
}

// .jsonl: {"text", "embedding"} on each line; .safetensors: `embeddings` [lines, hidden_size] f32.
void save(const std::string& file, const std::vector<std::string>& lines,
          const std::vector<std::vector<float>>& embeddings) {
  if (file.ends_with(".jsonl")) {
    std::string text;
    for (size_t i = 0; i < lines.size(); ++i) {
      const nlohmann::ordered_json record{{"text", lines[i]}, {"embedding", embeddings[i]}};
      text += record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    return write_file_atomically(file, text);
  }
  std::vector<float> all;
  for (const auto& e : embeddings) all.insert(all.end(), e.begin(), e.end());
  const Shape shape{static_cast<int64_t>(embeddings.size()),
                    static_cast<int64_t>(embeddings[0].size())};
  const NamedTensor tensor{"embeddings", Tensor::from<float>(all, shape)};
  save_safetensors(file, std::span(&tensor, 1));
}

// Without an adapter also a bare encoder, which most models of sentences are.
OpenModel open_encoder(const std::filesystem::path& folder, const std::string& adapter,
                       DType dtype) {
  if (!adapter.empty()) return open_model(folder.string(), adapter, dtype);
  const Config config = Config::load(folder);
  const auto quantizer = make_quantizer({}, config);
  LoadedModel loaded =
      load_model(folder, {.task = task_of(config), .compute = dtype, .weights = quantizer.get()});
  return {std::move(loaded.model), nullptr, loaded.config, Tokenizer::load(folder),
          folder.string(),         {},      adapter};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("embed: a vector for each line of a text file");
  std::string model, adapter, data, output, pooling;
  bool normalize = false;
  int64_t max_length = 0;
  DType dtype = DType::f32;
  EmbedOptions o;
  app.add_option("--model", model, "Hugging Face model folder")->required();
  app.add_option("--adapter", adapter, "adapter folder");
  app.add_option("--data", data, "text file, one text a line")->required();
  app.add_option("--output", output, ".safetensors or .jsonl file for the vectors")
      ->required()
      ->check([](const std::string& file) {
        const bool known = file.ends_with(".jsonl") || file.ends_with(".safetensors");
        return known ? std::string() : "expected a name that ends in .safetensors or .jsonl";
      });
  app.add_option("--pooling", pooling,
                 "mean of all tokens, the first (cls) or the last; default: what the folder's "
                 "modules.json says, else mean")
      ->check(CLI::IsMember({"mean", "cls", "last"}));
  CLI::Option* normalize_option = app.add_flag(
      "--normalize,!--no-normalize", normalize,
      "make every vector's length 1; default: what the folder's modules.json says, else not");
  app.add_option("--max-length", max_length,
                 "longer texts are cut to this many tokens; default: the folder's "
                 "sentence_bert_config.json, else the model's context")
      ->check(CLI::PositiveNumber);
  app.add_option("--batch-tokens", o.tokens_per_batch, "tokens read together")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_dtype_option(app, dtype);
  return run_tool(app, argc, argv, [&] {
    const EmbedSettings settings = read_embed_settings(model);
    o.pooling = pooling.empty() ? settings.pooling : pooling_from_name(pooling);
    o.normalize = normalize_option->count() > 0 ? normalize : settings.normalize;
    const std::vector<std::string> lines = read_lines(data);
    OpenModel open = open_encoder(settings.model, adapter, dtype);
    int64_t most = max_length > 0 ? max_length : settings.max_length;
    const int64_t context = open.model->max_length();
    most = most > 0 ? std::min(most, context) : context;
    std::vector<std::vector<int32_t>> texts;
    int64_t cut = 0;
    for (const std::string& line : lines) {
      texts.push_back(open.tokenizer.encode(line));
      if (static_cast<int64_t>(texts.back().size()) <= most) continue;
      texts.back() = open.tokenizer.encode_truncated(line, {}, {.max_length = most}).ids;
      ++cut;
    }
    if (cut > 0) fmt::print(stderr, "{} texts were cut to {} tokens\n", cut, most);
    const auto embeddings = embed_texts(*open.model, texts, o);
    save(output, lines, embeddings);
    fmt::print("{} vectors of {} numbers: {}\n", embeddings.size(), embeddings[0].size(), output);
  });
}
