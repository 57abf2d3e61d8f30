// Sentence embeddings of a tiny BERT, of all poolings; those of a real one where it is there.
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "engine/files/safetensors.h"
#include "nn/embed_texts.h"
#include "nn/load.h"
#include "tests/shared_models.h"
#include "tests/tools/tool_run.h"
#include "tools/embed/settings.h"

namespace lk {
namespace {

using Vectors = std::vector<std::vector<double>>;

std::string at(const test::TempDir& dir, const char* name) { return (dir / name).string(); }

Vectors embed(const test::TempDir& dir, const std::string& model, const std::string& options = "") {
  const test::Outcome o =
      run(dir, test::tool("embed") + " --model " + model + " --data " + at(dir, "texts.txt") +
                   " --output " + at(dir, "out.safetensors") + " " + options);
  CAPTURE(o.text);
  REQUIRE(o.code == 0);
  const Tensor t = SafetensorsFile::open(dir / "out.safetensors")->get("embeddings");
  Vectors out;
  for (int64_t i = 0; i < t.dim(0); ++i) out.push_back(t.rows(i, i + 1).to_vector<double>());
  return out;
}

double difference(const Vectors& a, const Vectors& b) {
  double most = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
  for (size_t i = 0; most < INFINITY && i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) {
      const double d = std::abs(a[i][j] - b[i].at(j));
      most = d <= most ? most : std::isnan(d) ? INFINITY : d;
    }
  return most;
}

Vectors normalized(Vectors vectors) {
  for (auto& v : vectors) {
    double squares = 0;
    for (const double x : v) squares += x * x;
    for (double& x : v) x /= std::sqrt(squares);
  }
  return vectors;
}

void set_modules(const test::TempDir& dir, const std::string& pooling, bool normalize) {
  std::filesystem::create_directories(dir / "model/1_Pooling");
  nlohmann::json modules = nlohmann::json::array(
      {{{"path", ""}, {"type", "sentence_transformers.models.Transformer"}},
       {{"path", "1_Pooling"}, {"type", "sentence_transformers.models.Pooling"}}});
  if (normalize)
    modules.push_back(
        {{"path", "2_Normalize"}, {"type", "sentence_transformers.models.Normalize"}});
  test::write_file(dir / "model/modules.json", modules.dump());
  test::write_file(dir / "model/1_Pooling/config.json",
                   nlohmann::json{{"word_embedding_dimension", 48},
                                  {"pooling_mode_cls_token", pooling == "cls_token"},
                                  {"pooling_mode_mean_tokens", pooling == "mean_tokens"},
                                  {"pooling_mode_max_tokens", pooling == "max_tokens"},
                                  {"pooling_mode_lasttoken", pooling == "lasttoken"}}
                       .dump());
}

TEST_CASE("embed: each pooling is that of the final hidden states, alone and among others") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  const std::vector<std::string> lines{"abc de", "f", "", "ghi jkl mno"};
  test::write_file(dir / "texts.txt", "abc de\nf\n\nghi jkl mno\n");
  const LoadedModel loaded = load_model(dir / "model", {.task = Task::none});
  const Tokenizer tokenizer = Tokenizer::load(dir / "model");
  Vectors mean, cls, last;
  for (const std::string& line : lines) {
    const NoGrad no_grad;
    const std::vector<int32_t> ids = tokenizer.encode(line);
    ModelInput in{ids, {{}, {}, {}, {0, static_cast<int32_t>(ids.size())}}, nullptr};
    for (size_t i = 0; i < ids.size(); ++i) in.packing.positions.push_back(static_cast<int32_t>(i));
    const Tensor h = loaded.model->hidden(in).value();
    const int64_t n = h.dim(0), d = h.dim(1);
    mean.emplace_back(static_cast<size_t>(d));
    for (int64_t i = 0; i < n * d; ++i)
      mean.back()[static_cast<size_t>(i % d)] += h.item(i) / static_cast<double>(n);
    cls.push_back(h.rows(0, 1).to_vector<double>());
    last.push_back(h.rows(n - 1, n).to_vector<double>());
  }
  const std::string model = at(dir, "model");
  constexpr double kRounding = 2e-6;  // of f32 sums over other batches
  CHECK(difference(embed(dir, model), mean) <= kRounding);
  CHECK(difference(embed(dir, model, "--batch-tokens 1"), mean) <= kRounding);
  CHECK(difference(embed(dir, model, "--pooling cls"), cls) <= kRounding);
  CHECK(difference(embed(dir, model, "--pooling last"), last) <= kRounding);
  CHECK(difference(embed(dir, model, "--normalize"), normalized(mean)) <= kRounding);
  CHECK(difference(mean, cls) > 0.1);
  CHECK(difference(cls, last) > 0.1);
  // The folder's files decide where no option does.
  set_modules(dir, "cls_token", true);
  CHECK(difference(embed(dir, model), normalized(cls)) <= kRounding);
  CHECK(difference(embed(dir, model, "--no-normalize --pooling mean"), mean) <= kRounding);
  set_modules(dir, "lasttoken", false);
  CHECK(difference(embed(dir, model), last) <= kRounding);
}

TEST_CASE("embed: long texts are cut as the folder says, and JSON lines hold text and vector") {
  const test::TempDir dir;
  test::make_bert_folder(dir);
  set_modules(dir, "mean_tokens", false);
  test::write_file(dir / "model/sentence_bert_config.json", R"({"max_seq_length": 4})");
  test::write_file(dir / "texts.txt", "a b c d e\na b\n");
  const Vectors v = embed(dir, at(dir, "model"));
  CHECK(difference({v[0]}, {v[1]}) <= 1e-6);
  CHECK(difference(embed(dir, at(dir, "model"), "--max-length 5"), v) > 1e-3);
  const test::Outcome o =
      run(dir, test::tool("embed") + " --model " + at(dir, "model") + " --data " +
                   at(dir, "texts.txt") + " --output " + at(dir, "out.jsonl"));
  CHECK(o.says("1 texts were cut to 4 tokens"));
  const std::string text = test::read_file(dir / "out.jsonl");
  const auto record = nlohmann::json::parse(text.substr(0, text.find('\n')));
  CHECK(record["text"] == "a b c d e");
  CHECK(difference({record["embedding"].get<std::vector<double>>()}, {v[0]}) <= 1e-6);
}

TEST_CASE("embed: settings that would change the result and are not supported are errors") {
  const test::TempDir dir;
  std::filesystem::create_directories(dir / "model");
  const auto says = [&](const std::string& words) {
    const std::string message = test::error_of([&] { read_embed_settings(dir / "model"); });
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  CHECK_FALSE(read_embed_settings(dir / "model").normalize);
  set_modules(dir, "max_tokens", false);
  says("pooling by 'max_tokens' is not supported");
  set_modules(dir, "none of them", false);
  says("pooling by '' is not supported");
  test::write_file(dir / "model/1_Pooling/config.json",
                   R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})");
  says("several at once are not supported");
  set_modules(dir, "mean_tokens", true);
  CHECK(read_embed_settings(dir / "model").normalize);
  test::write_file(dir / "model/sentence_bert_config.json", R"({"do_lower_case": true})");
  says("do_lower_case is not supported");
  test::write_file(dir / "model/sentence_bert_config.json", R"({"max_seq_length": "many"})");
  says("max_seq_length is \"many\"");
  test::write_file(dir / "model/config_sentence_transformers.json",
                   R"({"default_prompt_name": "query"})");
  says("default_prompt_name \"query\" is not supported");
  std::filesystem::remove(dir / "model/config_sentence_transformers.json");
  test::write_file(dir / "model/modules.json",
                   R"([{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])");
  says("the module 'sentence_transformers.models.Dense' is not supported");
  test::write_file(dir / "model/modules.json", R"([{"path": "2_Dense"}])");
  says("a module has no 'type'");
}

// tests/tools/make_minilm.py made minilm.json with transformers, of the MiniLM that `make
// demo-minilm` gets.
TEST_CASE("embed: MiniLM's sentence embeddings are transformers'") {
  const std::filesystem::path folder = test::minilm_folder();
  if (test::skipped("embed: MiniLM (MINILM_DIR, or make demo-minilm)", folder)) return;
  const auto reference = nlohmann::json::parse(test::read_file("tests/tools/minilm.json"));
  const test::TempDir dir;
  std::string lines;
  Vectors expected;
  for (const auto& record : reference) {
    lines += record["text"].get<std::string>() + "\n";
    expected.push_back(record["embedding"].get<std::vector<double>>());
    REQUIRE(expected.back().size() == 384);
  }
  REQUIRE(expected.size() == 4);
  test::write_file(dir / "texts.txt", lines);
  CHECK(difference(embed(dir, folder.string()), expected) <= 1e-5);
}

}  // namespace
}  // namespace lk
