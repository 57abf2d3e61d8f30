// adapter_config.json files that are wrong in ways their authors did not foresee: an Error, no
// other exception and no hang.
#include <doctest/doctest.h>

#include "peft/adapter_files.h"
#include "peft/name_pattern.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

// What loading an adapter of this config without tensors says.
std::string message(const std::string& config) {
  const test::TempDir dir;
  test::write_file(dir / "adapter_config.json", config);
  const auto model = test::tiny_model("gpt2", DType::f32);
  return test::error_of([&] { load_adapter(dir.path(), read_adapter_config(dir.path()), *model); });
}

std::string lora(const std::string& fields) {
  return R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, )" + fields + "}";
}

TEST_CASE("name patterns: as Python's re") {
  const NamePattern p("h\\.\\d+\\.(attn|mlp)", "x");
  CHECK(p.matches("h.12.mlp"));
  CHECK(!p.matches("h.12.mlp.c_fc"));
  CHECK(!p.matches("a.h.12.mlp"));
  CHECK(p.first_group("a.h.1.attn.b") == "attn");
  CHECK(!p.first_group("a").has_value());
  CHECK(!NamePattern("(a)|b", "x").first_group("b").has_value());
  CHECK(test::error_of([] { NamePattern("(", "file: key"); }).find("file: key is '('") == 0);
}

TEST_CASE("adapters: regular expressions that are none, or that do not end") {
  const std::string nested(100000, '('), slow = R"("(.|..)*(.|..)*(.|..)*[A-Z]")";
  for (const std::string key : {"target_modules", "exclude_modules"}) {
    const std::string quoted = "\"" + key + "\": ";
    CHECK(message(lora(quoted + "\"(\"")).find("not a regular expression") != std::string::npos);
    CHECK(message(lora(quoted + "\"" + nested + "\"")).find("not a regular expression") !=
          std::string::npos);
    CHECK(message(lora(quoted + slow)).find("takes too long") != std::string::npos);
  }
  CHECK(message(lora(R"("rank_pattern": {"(": 1})")).find("not a regular expression") !=
        std::string::npos);
  CHECK(message(lora(R"("alpha_pattern": {)" + slow + ": 1}")).find("takes too long") !=
        std::string::npos);
  CHECK(message(lora(R"("layers_to_transform": [0], "layers_pattern": ["("])"))
            .find("not a regular expression") != std::string::npos);
  // The first group is no number then.
  CHECK(message(lora(R"x("layers_to_transform": [0], "layers_pattern": "(h)")x"))
            .find("names layer 0") != std::string::npos);
}

TEST_CASE("adapters: a peft_type that is not known is named with its file and the nearest") {
  const std::string said = message(R"({"peft_type": "LOAR"})");
  CHECK(said.find("adapter_config.json: 'peft_type' is \"LOAR\"") != std::string::npos);
  CHECK(said.find("LORA") != std::string::npos);
}

TEST_CASE("adapters: AdapterHub's file of another base says what differs") {
  const auto said = [](const std::string& fields) {
    return message(R"({"config": {"architecture": "lora"}, )" + fields + "}");
  };
  CHECK(said(R"("model_type": "bert")")
            .find("whose model_type is \"bert\"; this model's is \"gpt2\"") != std::string::npos);
  CHECK(said(R"("model_type": "gpt2", "hidden_size": 768)").find("hidden_size is 768") !=
        std::string::npos);
  CHECK(said(R"("model_type": "gpt2")").find("model_type is") == std::string::npos);
}

TEST_CASE("adapters: numbers beyond every size, and values of other types") {
  CHECK(message(lora(R"("rank_pattern": {"c_attn": 1e300})")).find("the rank 1e+300") !=
        std::string::npos);
  CHECK(message(R"({"peft_type": "P_TUNING", "num_virtual_tokens": 4,
    "encoder_hidden_size": 1000000})")
            .find("'encoder_hidden_size' is 1000000; expected 1..4096") != std::string::npos);
  const auto hub = [](const std::string& config, const std::string& more = "") {
    return message(R"({"model_type": "gpt2", "config": )" + config + more + "}");
  };
  CHECK(hub(R"({"architecture": "union"})").find("'configs' is missing") != std::string::npos);
  CHECK(hub(R"({"architecture": "union", "configs": [3]})").find("expected a JSON object") !=
        std::string::npos);
  CHECK(hub(R"({"mh_adapter": true, "output_adapter": true, "reduction_factor": 1e-6})")
            .find("'reduction_factor' is 1e-06") != std::string::npos);
  CHECK(hub(R"({"architecture": 7})", R"(, "model_name": 1, "name": 2, "lorikeet": 3)") != "");
}

}  // namespace
}  // namespace lk
