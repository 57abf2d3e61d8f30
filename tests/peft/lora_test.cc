// Adapters that HF PEFT wrote: logits, loss, every gradient, the merged weights, and the files we
// write.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "peft/adapter_files.h"
#include "tests/oracle.h"
#include "tests/peft/oracle_case.h"
#include "tests/support.h"

namespace lk {
namespace {

void check_case(const std::string& name, const std::string& base) {
  const std::filesystem::path root = "tests/oracle/peft";
  const test::OracleOutcome outcome = test::check_adapter(root / name, root / base);
  INFO(name, ": ", outcome.line());
  CHECK(outcome.passed());
}

TEST_CASE("lora: q and v of gpt2") { check_case("lora-qv-gpt2", "base-gpt2"); }
TEST_CASE("lora: q and v of llama") { check_case("lora-qv-llama", "base-llama"); }
TEST_CASE("lora: q, v and the head of bert") { check_case("lora-qv-bert", "base-bert"); }
TEST_CASE("lora: all layers, rank-stabilised, biases of gpt2") {
  check_case("lora-all-rslora-bias-gpt2", "base-gpt2");
}
TEST_CASE("lora: all layers, rank-stabilised of llama") {
  check_case("lora-all-rslora-bias-llama", "base-llama");
}
TEST_CASE("lora: all biases of bert") { check_case("lora-bias-all-bert", "base-bert"); }

Settings lora_settings(const char* targets) {
  Settings s = read_adapter_config("tests/oracle/peft/lora-qv-llama").settings;
  s.set("target_modules", targets);
  return s;
}

TEST_CASE("lora: a new adapter changes no bit of the base's result") {
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const auto vectors = SafetensorsFile::open("tests/oracle/peft/lora-qv-llama/vectors.safetensors");
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
    if (l.role() != Role::head) expected += 4 * (l.in_features() + l.out_features());
  });
  CHECK(count == expected);
}

TEST_CASE("lora: targets that match nothing list the near names") {
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const auto method = find_method("lora").make(lora_settings("q_prj"));
  const std::string message = test::error_of([&] { method->attach(*base.model, 0); });
  CHECK(message.find("'q_prj' matches no linear layer") != std::string::npos);
  CHECK(message.find("q_proj") < message.find("down_proj"));
}

TEST_CASE("lora: an adapter of another shape or model is refused by name") {
  LoadedModel gpt2 = load_model("tests/oracle/peft/base-gpt2", {});
  const std::filesystem::path llama = "tests/oracle/peft/lora-qv-llama";
  const std::string wrong =
      test::error_of([&] { load_adapter(llama, read_adapter_config(llama), *gpt2.model); });
  CHECK(wrong.find("matches no linear layer") != std::string::npos);
  AdapterConfig other = read_adapter_config(llama);
  other.settings.set("r", 5);
  LoadedModel base = load_model("tests/oracle/peft/base-llama", {});
  const std::string shape = test::error_of([&] { load_adapter(llama, other, *base.model); });
  CHECK(shape.find("lora_A.weight' is [4, 32]") != std::string::npos);
  CHECK(shape.find("[5, 32]") != std::string::npos);
}

TEST_CASE("bitfit selects biases, full everything") {
  LoadedModel base = load_model("tests/oracle/peft/base-gpt2", {});
  const Settings none = read_adapter_config("tests/oracle/peft/lora-qv-gpt2").settings;
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

}  // namespace
}  // namespace lk
