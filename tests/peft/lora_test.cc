// What LoRA refuses, and how it is set up; its numbers are in oracle_test.cc and contract_test.cc.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"
#include "tests/support.h"

namespace lk {
namespace {

Settings lora_settings(const char* targets) {
  Settings s = read_adapter_config("tests/vectors/peft/lora-qv-llama").settings;
  s.set("target_modules", targets);
  return s;
}

TEST_CASE("lora: a new adapter changes no bit of the base's result") {
  LoadedModel base = load_model("tests/vectors/models/llama-gqa", {});
  const auto vectors =
      SafetensorsFile::open("tests/vectors/peft/lora-qv-llama/vectors.safetensors");
  const test::OracleBatch batch = test::read_batch(*vectors, "in.");
  const double before = test::mean_loss(*base.model, batch).value().item();
  const auto method = find_method("lora").make(lora_settings("all-linear"));
  method->attach(*base.model, 3);
  select_parameters(*base.model, *method);
  CHECK(test::mean_loss(*base.model, batch).value().item() == before);
  int64_t count = 0;
  method->visit([&](Parameter& p) { count += p.shape.numel(); });
  int64_t expected = 0;
  base.model->visit_linears([&](Linear& l) {
    if (l.role() != Role::head) expected += 2 * (l.in_features() + l.out_features());
  });
  CHECK(count == expected);
}

TEST_CASE("lora: targets that match nothing list the near names") {
  LoadedModel base = load_model("tests/vectors/models/llama-gqa", {});
  const auto method = find_method("lora").make(lora_settings("q_prj"));
  const std::string message = test::error_of([&] { method->attach(*base.model, 0); });
  CHECK(message.find("'q_prj' matches no linear layer") != std::string::npos);
  CHECK(message.find("q_proj") < message.find("down_proj"));
}

TEST_CASE("lora: an adapter of another shape or model is refused by name") {
  LoadedModel gpt2 = load_model("tests/vectors/models/gpt2", {});
  const std::filesystem::path llama = "tests/vectors/peft/lora-qv-llama";
  const std::string wrong =
      test::error_of([&] { load_adapter(llama, read_adapter_config(llama), *gpt2.model); });
  CHECK(wrong.find("matches no linear layer") != std::string::npos);
  AdapterConfig other = read_adapter_config(llama);
  other.settings.set("r", 5);
  LoadedModel base = load_model("tests/vectors/models/llama-gqa", {});
  const std::string shape = test::error_of([&] { load_adapter(llama, other, *base.model); });
  CHECK(shape.find("lora_A.weight' is [2, 16]") != std::string::npos);
  CHECK(shape.find("[5, 16]") != std::string::npos);
}

TEST_CASE("bitfit selects biases, full everything") {
  LoadedModel base = load_model("tests/vectors/models/gpt2", {});
  const Settings none = read_adapter_config("tests/vectors/peft/lora-qv-gpt2").settings;
  const auto bitfit = find_method("bitfit").make(none);
  bitfit->attach(*base.model, 0);
  size_t all = 0;
  base.model->visit_parameters([&](Parameter&) { ++all; });
  const auto biases = select_parameters(*base.model, *bitfit);
  for (const Parameter* p : biases) CHECK(p->name.substr(p->name.size() - 5) == ".bias");
  CHECK(biases.size() > 4);
  const auto full = find_method("full").make(none);
  full->attach(*base.model, 0);
  CHECK(select_parameters(*base.model, *full).size() == all);
}

TEST_CASE("lora: rank and alpha patterns, layers, exclusions") {
  LoadedModel base = load_model("tests/vectors/models/llama-gqa", {});
  const auto method = test::method_of("lora", R"({"r": 4, "target_modules": ["q_proj", "v_proj"],
      "rank_pattern": {"layers.1.self_attn.q_proj": 2, "v_proj": 3}, "exclude_modules": ["layers.0.self_attn.q_proj"]})");
  method->attach(*base.model, 0);
  std::map<std::string, int64_t> ranks;
  method->visit([&](Parameter& p) {
    if (p.name.ends_with("lora_A.weight")) ranks[p.name] = p.shape[0];
  });
  const std::string front = "base_model.model.model.layers.", back = "_proj.lora_A.weight";
  CHECK(ranks == std::map<std::string, int64_t>{{front + "0.self_attn.v" + back, 3},
                                                {front + "1.self_attn.q" + back, 2},
                                                {front + "1.self_attn.v" + back, 3}});
  LoadedModel other = load_model("tests/vectors/models/llama-gqa", {});
  const auto one =
      test::method_of("lora", R"({"layers_to_transform": 1, "layers_pattern": "layers"})");
  one->attach(*other.model, 0);
  one->visit([&](Parameter& p) { CHECK(p.name.find(".layers.1.") != std::string::npos); });
}

TEST_CASE("lora: settings that cannot be are refused by name") {
  const auto refused = [](const std::string& settings) {
    LoadedModel base = load_model("tests/vectors/models/gpt2", {});
    return test::error_of([&] {
      const auto method = test::method_of("lora", settings);
      method->attach(*base.model, 0);
      select_parameters(*base.model, *method);
    });
  };
  const auto has = [](const std::string& message, const std::string& words) {
    CAPTURE(message);
    CHECK(message.find(words) != std::string::npos);
  };
  has(refused(R"({"r": 13})"), "the rank 13 of 'transformer.h.0.attn.c_attn' is outside 1..12");
  has(refused(R"({"target_modules": ["c_attn", "c_atn"]})"), "'c_atn' matches no linear layer");
  has(refused(R"({"layers_to_transform": [0, 7]})"), "names layer 7; the targets have 0..1");
  has(refused(R"({"exclude_modules": ["c_attn"]})"), "exclude_modules leaves no target");
  has(refused(R"({"modules_to_save": ["wtf"]})"), "modules_to_save names 'wtf'");
  has(refused(R"({"init_lora_weights": "eva"})"), "expected true, false, gaussian, orthogonal");
  has(refused(R"({"bias": "some"})"), "expected none, all or lora_only");
  has(refused(R"({"use_dora": true, "target_modules": ["wte"]})"), "names the embedding");
}

TEST_CASE("lora: an embedding that is the output layer too is not merged") {
  LoadedModel base = load_model("tests/vectors/models/gpt2", {});
  const auto method = test::method_of("lora", R"({"target_modules": ["wte"], "r": 2})");
  method->attach(*base.model, 0);
  const std::string message = test::error_of([&] { method->merge(*base.model); });
  CHECK(message.find("is also the output layer") != std::string::npos);
}

TEST_CASE("lora+: B has a learning rate of its own") {
  LoadedModel base = load_model("tests/vectors/models/gpt2", {});
  const auto method = test::method_of("lora", R"({"loraplus_lr_ratio": 16})");
  method->attach(*base.model, 0);
  const auto groups = parameter_groups(select_parameters(*base.model, *method), *method, 0.01);
  REQUIRE(groups.size() == 2);
  for (const ParamGroup& g : groups) {
    CHECK(g.weight_decay == 0.01);
    for (const auto& [name, p] : g.params)
      CHECK(g.lr_scale == (name.find("lora_B") != std::string::npos ? 16.0 : 1.0));
  }
}

TEST_CASE("parameter_groups: the head has a learning rate of its own") {
  LoadOptions load;
  load.task = Task::classification;
  load.labels = 3;
  LoadedModel base = load_model("tests/vectors/models/bert-classification", load);
  const auto method =
      test::method_of("lora", R"({"target_modules": ["query"], "loraplus_lr_ratio": 16})");
  method->attach(*base.model, 0);
  const HeadRate head{base.model->head_modules(), 0.5};
  std::set<std::string> of_head;
  for (const ParamGroup& g :
       parameter_groups(select_parameters(*base.model, *method), *method, 0.01, head))
    for (const auto& [name, p] : g.params) {
      CAPTURE(name);
      const bool is_b = name.find("lora_B") != std::string::npos;
      CHECK(g.weight_decay == (p.shape().rank() == 2 ? 0.01 : 0.0));
      const bool added = name.find("lora_") != std::string::npos;
      CHECK(g.lr_scale == (!added ? 0.5 : is_b ? 16.0 : 1.0));
      if (!added) of_head.insert(name);
    }
  CHECK(of_head == std::set<std::string>{"classifier.bias", "classifier.weight"});
}

TEST_CASE("adapter_config.json: an unknown key is named with the nearest known") {
  const test::TempDir dir;
  test::write_file(dir / "adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alfa": 3})");
  const std::string message = test::error_of([&] { read_adapter_config(dir.path()); });
  CHECK(message.find("'lora_alfa' is 3") != std::string::npos);
  CHECK(message.find("nearest keys: lora_alpha") != std::string::npos);
  test::write_file(dir / "adapter_config.json", R"({"peft_type": "LORE"})");
  CHECK(test::error_of([&] { read_adapter_config(dir.path()); }).find("the nearest are ") !=
        std::string::npos);
}

}  // namespace
}  // namespace lk
