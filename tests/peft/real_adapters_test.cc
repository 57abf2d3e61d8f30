// Adapters that others trained and published, where they are there (tests/shared_models.h).
#include <cmath>

#include "peft/adapter_files.h"
#include "tests/shared_models.h"
#include "tests/tiny_models.h"
#include "tests/tools/tool_run.h"

namespace lk {
namespace {

TEST_CASE("real adapters: HF PEFT's LoRA for gpt2 attaches to that shape and changes its answers") {
  const std::filesystem::path folder = test::shared_models() / "gpt2-tigrinya-lora";
  if (test::skipped("real adapters: gpt2", folder)) return;
  const test::TempDir dir;
  const test::Outcome listed = run(dir, test::tool("inspect") + " --tensors " + folder.string());
  CAPTURE(listed.text);
  CHECK(listed.code == 0);
  CHECK(listed.says("adapter: lora"));
  CHECK(listed.says("base gpt2"));
  CHECK(listed.says("parameters: 811008 in 72 tensors, 3.2 MB in f32"));
  CHECK(listed.says("base_model.model.transformer.h.11.attn.c_attn.lora_A.weight"));
  const Config config = Config::parse(
      R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 64})",
      "config.json");
  const auto model = make_model(config, Task::causal_lm, DType::f32, 1);
  const test::Packed batch = test::pack({{1, 2, 3, 4}, {5, 6}});
  const Tensor before = test::hidden_of(*model, batch);
  const auto method = load_adapter(folder, read_adapter_config(folder), *model);
  const auto file = SafetensorsFile::open(folder / "adapter_model.safetensors");
  int compared = 0;
  method->visit([&](Parameter& p) {
    CAPTURE(p.name);
    REQUIRE(file->has(p.name));
    CHECK(test::same_bits(p.var.value(), file->get(p.name)));
    ++compared;
  });
  CHECK(compared == 72);
  const Tensor after = test::hidden_of(*model, batch);
  CHECK_FALSE(test::same_bits(before, after));
  for (const float x : after.span<float>()) CHECK(std::isfinite(x));
}

TEST_CASE("real adapters: microsoft/LoRA's file for MNLI, a pickle, is listed and runs nothing") {
  const std::filesystem::path file =
      test::shared_models() / "roberta-base-lora-mnli" / "roberta_base_lora_mnli.bin";
  if (test::skipped("real adapters: roberta", file)) return;
  const test::TempDir dir;
  const test::Outcome listed = run(dir, test::tool("inspect") + " " + file.string());
  CAPTURE(listed.text);
  CHECK(listed.code == 0);
  CHECK(listed.says("roberta.encoder.layer.11.attention.self.value.lora_B"));
  CHECK(listed.says("f32 [768, 8]"));
  // 12 layers, query and value, A and B; the head's two matrices and biases.
  CHECK(listed.says("parameters: 887811 in 52 tensors"));
}

}  // namespace
}  // namespace lk
