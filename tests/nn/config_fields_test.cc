// config.json decides: what is not supported and would change the result is refused by name.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/json.h"
#include "engine/files/safetensors.h"
#include "nn/load.h"
#include "nn/rope.h"
#include "tests/oracle.h"
#include "tests/support.h"

namespace lk {
namespace {

const std::filesystem::path kModels = "tests/vectors/models";

std::string refusal(const std::string& model, const std::string& key, const nlohmann::json& value) {
  nlohmann::json json = read_json(kModels / model / "config.json");
  json[key] = value;
  const Config config = Config::parse(json.dump(), "config.json");
  return test::error_of([&] { build_model(config, task_of(config)); });
}

void accepts(const std::string& model, const std::string& key, const nlohmann::json& value) {
  CAPTURE(model);
  CAPTURE(key);
  nlohmann::json json = read_json(kModels / model / "config.json");
  json[key] = value;
  const Config config = Config::parse(json.dump(), "config.json");
  CHECK_NOTHROW(build_model(config, task_of(config)));
}

TEST_CASE("config: a field that would change the result is refused, with its name and value") {
  const auto refuses = [](const std::string& model, const std::string& key,
                          const nlohmann::json& value) {
    CAPTURE(model);
    const std::string message = refusal(model, key, value);
    CAPTURE(message);
    CHECK(message.find("'" + key + "'") != std::string::npos);
    CHECK(message.find(value.dump()) != std::string::npos);
  };
  for (const char* model : {"gpt2", "llama-gqa", "qwen3", "bert-classification",
                            "roberta-token-classification", "t5-relu-tied"}) {
    refuses(model, "a_field_of_tomorrow", 3);
    refuses(model, "tie_encoder_decoder", true);
    refuses(model, "problem_type", "regression");
    accepts(model, "a_field_of_tomorrow", nullptr);
    accepts(model, "a_field_of_tomorrow", false);
    accepts(model, "torch_dtype", "bfloat16");
    accepts(model, "use_cache", false);
    accepts(model, "transformers_version", "9");
    accepts(model, "num_beams", 4);
  }
  refuses("llama-gqa", "hidden_act", "gelu");
  refuses("llama-gqa", "sliding_window", 4096);
  refuses("llama-gqa", "partial_rotary_factor", 0.5);
  refuses("gpt2", "scale_attn_by_inverse_layer_idx", true);
  refuses("bert-classification", "position_embedding_type", "relative_key");
  refuses("bert-classification", "is_decoder", true);
  refuses("t5-relu-tied", "feed_forward_proj", "gated-silu");
  accepts("llama-gqa", "rope_scaling", nullptr);
}

TEST_CASE("config: rope_scaling of an unknown kind or with an unknown field is refused") {
  const std::string kind = refusal("llama-gqa", "rope_scaling", {{"rope_type", "longrope"}});
  CHECK(kind.find("rope_type 'longrope' is not supported") != std::string::npos);
  const std::string field = refusal("llama-gqa", "rope_scaling",
                                    {{"type", "linear"}, {"factor", 2.0}, {"long_factor", {1, 2}}});
  CHECK(field.find("config.json: rope_scaling: 'long_factor'") != std::string::npos);
  CHECK(refusal("qwen3", "layer_types", {"full_attention"}).find("2 kinds") != std::string::npos);
  CHECK(refusal("qwen3", "layer_types", {"full_attention", "chunked"}).find("layer_types[1]") !=
        std::string::npos);
}

// By the formula of Peng et al. 2023, appendix B.2.
TEST_CASE("rope: dynamic scaling changes nothing up to the trained length, the base beyond it") {
  const Config config = Config::parse(
      R"({"rope_theta": 10000.0, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}})", "c");
  const Rope rope = make_rope(config, 8, 100);
  CHECK(rope.max_positions == 400);
  CHECK(rope.frequencies(1) == rope.inv_freq);
  CHECK(rope.frequencies(100) == rope.inv_freq);
  const double base = 10000.0 * std::pow(4.0 * 250 / 100 - 3.0, 8.0 / 6.0);
  const std::vector<float> far = rope.frequencies(250);
  for (size_t i = 0; i < 4; ++i)
    CHECK(far[i] == doctest::Approx(std::pow(base, -static_cast<double>(2 * i) / 8)));
}

TEST_CASE("load: legacy names and missing prefixes are the same model") {
  for (const auto& entry : {std::pair{"bert-classification", "bert."},
                            {"roberta-token-classification", "roberta."},
                            {"gpt2", "transformer."}}) {
    const char *const model = entry.first, *const prefix = entry.second;
    CAPTURE(model);
    const std::filesystem::path folder = kModels / model;
    const auto vectors = SafetensorsFile::open(folder / "vectors.safetensors"),
               file = SafetensorsFile::open(folder / "model.safetensors");
    std::vector<NamedTensor> renamed;
    const auto replace = [](std::string& name, const std::string& from, const std::string& to) {
      const size_t at = name.rfind(from);
      if (at != std::string::npos) name.replace(at, from.size(), to);
    };
    for (const std::string& full : file->names()) {
      std::string name = full;
      if (name.rfind(prefix, 0) == 0) name.erase(0, std::string(prefix).size());
      replace(name, "LayerNorm.weight", "LayerNorm.gamma");
      replace(name, "LayerNorm.bias", "LayerNorm.beta");
      renamed.push_back({name, file->get(full)});
    }
    const test::TempDir dir;
    save_safetensors(dir / "model.safetensors", renamed);
    std::filesystem::copy_file(folder / "config.json", dir / "config.json");
    const LoadedModel loaded = load_model(dir.path(), {.task = task_of(Config::load(folder))});
    CHECK(loaded.initialised.empty());
    CHECK(loaded.unused.empty());
    const test::OracleBatch batch = test::read_batch(*vectors, "in.", loaded.model->info());
    CHECK(test::logits_error(test::logits_of(*loaded.model, batch), vectors->get("out.logits"),
                             batch) <= 2e-4);
  }
}

}  // namespace
}  // namespace lk
