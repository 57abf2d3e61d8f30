// Folders that we wrote, read by transformers where Python has it (the interpreter that PYTHON
// names, by default python3).
#include <cstdlib>
#include <sstream>

#include "data/tokenizer/tokenizer.h"
#include "engine/files/safetensors.h"
#include "tests/oracle.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

test::Outcome transformers(const test::TempDir& dir, const std::string& arguments) {
  const char* python = std::getenv("PYTHON");
  // Limits that this machine's OpenBLAS takes from the environment are not for theirs.
  return run(dir, "env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE HF_HUB_OFFLINE=1 " +
                      std::string(python ? python : "python3") +
                      " tests/tools/transformers_logits.py " + arguments);
}

// Else transformers takes the class of the architecture, which has a pre-tokenizer of its own.
constexpr const char* kTokenizerConfig = R"({"tokenizer_class": "PreTrainedTokenizerFast"})";

// Merges a LoRA of two training steps into `base` and compares logits. options: of finetune.
void check_merged(const test::TempDir& dir, const std::filesystem::path& base,
                  const std::string& data, const std::string& options) {
  CAPTURE(base.string());
  const auto at = [&](const char* name) { return (dir / name).string(); };
  const test::Outcome trained =
      run(dir, test::tool("finetune") + " --model " + base.string() + " --train " + data +
                   " --output " + at("out") +
                   " --no-baseline --max-steps 2 --lr 0.05 --batch-size 4 " + options);
  CAPTURE(trained.text);
  REQUIRE(trained.code == 0);
  const test::Outcome merged = run(dir, test::tool("merge") + " --adapter " + at("out/adapter") +
                                            " --output " + at("merged") + " --max-shard-size 9KB");
  CAPTURE(merged.text);
  REQUIRE(merged.code == 0);
  CHECK(std::filesystem::exists(dir / "merged/model.safetensors.index.json"));

  const LoadedModel loaded =
      load_model(dir / "merged", {.task = task_of(Config::load(dir / "merged"))});
  Model& model = *loaded.model;
  test::OracleBatch batch;
  for (int32_t i = 0; i < 9; ++i) {
    batch.ids.push_back(5 + i * 3);
    batch.packing.positions.push_back(i);
  }
  batch.packing.offsets = {0, 9};
  if (model.info().encoder_decoder()) {
    batch.source_ids = batch.ids;
    batch.source = batch.packing;
  }
  const std::vector<NamedTensor> vectors{{"ids", Tensor::from<int32_t>(batch.ids)},
                                         {"logits", test::logits_of(model, batch)}};
  save_safetensors(dir / "vectors.safetensors", vectors);
  const test::Outcome o = transformers(dir, at("merged") + " " + at("vectors.safetensors"));
  CAPTURE(o.text);
  if (o.says("skipped:") || o.code == 127) {
    fmt::print("transformers: {}", o.code == 127 ? "skipped: no Python\n" : o.text);
    return;
  }
  CHECK(o.code == 0);
  const size_t place = o.text.find("difference ");
  REQUIRE(place != std::string::npos);
  double difference = -1, most = 0;
  std::string of;
  std::istringstream(o.text.substr(place + 11)) >> difference >> of >> most;
  CHECK(most > 0.01);
  CHECK((difference >= 0 && difference <= 1e-5 * std::max(1.0, most)));
  std::string tokens = "tokens [";
  for (const int32_t id : Tokenizer::load(dir / "merged").encode("abc de"))
    tokens += (tokens.back() == '[' ? "" : ", ") + std::to_string(id);
  CHECK(o.says(tokens + "]"));
}

TEST_CASE("transformers reads what merge writes: gpt2, llama, t5, a bert classifier") {
  {
    const test::TempDir dir;
    test::make_bert_folder(dir);
    test::write_file(dir / "train.tsv", test::class_data(8));
    check_merged(dir, dir / "model", (dir / "train.tsv").string(), "--rank 2");
  }
  {
    const test::TempDir dir;
    test::make_llama_folder(dir);
    test::write_file(dir / "model/tokenizer_config.json", kTokenizerConfig);
    test::write_file(dir / "train.jsonl", test::text_data(8));
    check_merged(dir, dir / "model", (dir / "train.jsonl").string(), "--rank 2");
  }
  const std::string rows =
      std::to_string(Config::load("data/base").integer("vocab_size", 1, 1 << 20));
  for (const std::string config :
       {R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 16, "n_layer": 2,
            "n_head": 2, "n_positions": 64, "initializer_range": 0.2, "eos_token_id": 0,
            "bos_token_id": 0, "vocab_size": )",
        R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 16,
            "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2,
            "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false,
            "initializer_range": 0.2, "is_encoder_decoder": true, "pad_token_id": 0,
            "eos_token_id": 1, "decoder_start_token_id": 0, "vocab_size": )"}) {
    const test::TempDir dir;
    const Config c = Config::parse(config + rows + "}", "config.json");
    save_model(*make_model(c, Task::causal_lm, DType::f32, 5), c, dir / "model", DType::f32);
    std::filesystem::copy_file("data/base/tokenizer.json", dir / "model/tokenizer.json");
    test::write_file(dir / "model/tokenizer_config.json", kTokenizerConfig);
    test::write_file(dir / "train.jsonl", test::text_data(8));
    check_merged(dir, dir / "model", (dir / "train.jsonl").string(),
                 "--rank 2 --target-modules all-linear");
  }
}

}  // namespace
}  // namespace lk
