// Training runs of the reference with an adapter: losses, gradient norms, final values and, where
// the case lists them, AdaLoRA's ranks after each step. Those shipped in tests/vectors/training,
// and those of ORACLE_DIR when it is there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "autograd/ops.h"
#include "nn/optim/optimizer.h"
#include "tests/oracle.h"
#include "tests/peft/contract.h"

namespace lk {
namespace {

using nlohmann::json;

// "adalora init_r 6 target_r 2 alpha 8 .. on q_proj v_proj" as settings over the method's defaults.
std::unique_ptr<Method> method_from(const std::string& text, const SafetensorsFile& vectors) {
  const std::string name = text.substr(0, text.find_first_of(" ;"));
  json settings = json::object();
  const std::vector<std::pair<const char*, const char*>> keys{
      {"r", "\\br ?(\\d+)"},          {"lora_alpha", "alpha ?(\\d+)"},
      {"init_r", "init_r (\\d+)"},    {"target_r", "target_r (\\d+)"},
      {"tinit", "tinit (\\d+)"},      {"tfinal", "tfinal (\\d+)"},
      {"deltaT", "deltaT (\\d+)"},    {"orth_reg_weight", "orth ([\\d.]+)"},
      {"total_step", "total (\\d+)"}, {"beta1", "beta ([\\d.]+)"}};
  for (const auto& [key, pattern] : keys) {
    std::smatch m;
    if (std::regex_search(text, m, std::regex(pattern))) settings[key] = json::parse(m[1].str());
  }
  if (settings.contains("beta1")) settings["beta2"] = settings["beta1"];
  if (name == "adalora") settings.erase("r");
  // The layers are those that have start values.
  std::set<std::string> modules;
  for (const std::string& key : vectors.names()) {
    std::smatch m;
    if (std::regex_match(key, m, std::regex("start\\.base_model\\.model\\.(.*)\\.(lora|ia3)_.*")))
      modules.insert(m[1].str());
  }
  settings["target_modules"] = modules;
  return test::method_of(name, settings.dump());
}

void check_run(const test::OracleCase& c) {
  const json& entry = *c.json;
  const auto vectors = SafetensorsFile::open(c.vectors);
  LoadedModel loaded = load_model(c.base, {});
  const auto method = method_from(entry.at("adapter").get<std::string>(), *vectors);
  method->attach(*loaded.model, 0);
  std::vector<std::pair<std::string, Parameter*>> trained;  // with the reference's name
  std::vector<ParamGroup> groups(1);
  groups[0].weight_decay = 0.01;
  for (Parameter* p : select_parameters(*loaded.model, *method)) {
    std::string key = p->name;
    const size_t at = key.rfind(".weight");
    key.insert(at == std::string::npos ? key.size() : at, ".default");
    REQUIRE(vectors->has("start." + key));
    p->var.value().copy_from(vectors->get("start." + key));
    trained.emplace_back(key, p);
    groups[0].params.emplace_back(p->name, p->var);
  }
  const auto optimizer = make_optimizer({}, groups);
  const Tensor losses = vectors->get("out.losses"), norms = vectors->get("out.grad_norms"),
               rates = vectors->get("out.lrs");
  const auto accumulate = entry.value("accumulate", int64_t{1});
  const double clip = entry.at("clip").is_null() ? 0.0 : entry.at("clip").get<double>(),
               tolerance = entry.at("tolerance").at("losses").get<double>(),
               final_rel = entry.at("tolerance").at("final_rel").get<double>();
  method->start_training(losses.numel());
  double worst = 0;
  for (int64_t step = 0; step < losses.numel(); ++step) {
    CAPTURE(step);
    double total = 0;
    for (int64_t i = 0; i < accumulate; ++i) {
      const auto batch = test::read_batch(*vectors, fmt::format("in.{}.", step * accumulate + i),
                                          loaded.model->info());
      const Var loss = test::mean_loss(*loaded.model, batch);
      total += loss.value().item() / static_cast<double>(accumulate);
      backward(scale(loss, 1.0f / static_cast<float>(accumulate)));
    }
    if (const Var term = method->penalty(); term.defined()) {
      total += term.value().item();
      backward(term);
    }
    CHECK(std::abs(total - losses.item(step)) <= tolerance);
    worst = std::max(worst, std::abs(total - losses.item(step)));
    const double norm = clip_grad_norm(optimizer->groups(), clip);
    CHECK(std::abs(norm - norms.item(step)) <= 5e-3 * norms.item(step));
    optimizer->step(rates.item(step));
    method->after_update(step);
    optimizer->zero_grad();
    if (!entry.contains("trace")) continue;
    const json& ranks = entry.at("trace").at(static_cast<size_t>(step)).at("ranks");
    for (const auto& parameter : trained) {
      const std::string& key = parameter.first;
      const Parameter* const p = parameter.second;
      if (!ranks.contains(key)) continue;
      CAPTURE(key);
      int64_t rank = 0;
      for (int64_t i = 0; i < p->shape.numel(); ++i) rank += p->var.value().item(i) != 0 ? 1 : 0;
      CHECK(rank == ranks.at(key).get<int64_t>());
    }
  }
  for (const auto& parameter : trained) {
    const std::string& key = parameter.first;
    const Parameter* const p = parameter.second;
    CAPTURE(key);
    const Tensor expected = vectors->get("final." + key);
    CHECK(test::max_difference(p->var.value(), expected) <=
          final_rel * test::max_magnitude(expected));
  }
  fmt::print("oracle training {}: largest error of a loss {:.1e} of {:.0e}\n", c.name, worst,
             tolerance);
}

TEST_CASE("training: adapters as the reference trains them") {
  for (const test::OracleCase& c : test::oracle_cases("training")) {
    if (!c.json->contains("adapter")) continue;  // optimizer_test.cc has some without
    CAPTURE(c.vectors.string());
    check_run(c);
  }
}

}  // namespace
}  // namespace lk
