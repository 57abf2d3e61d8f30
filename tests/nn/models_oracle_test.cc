// Every model of the reference's indices: logits, loss, the gradient of every parameter (with
// gradient checkpointing too), and what generation writes.
#include <doctest/doctest.h>

#include <set>

#include "tests/oracle.h"

namespace lk {
namespace {

using test::Comparison;

// The loss and the gradient of every parameter.
void add_gradients(Model& model, const test::OracleBatch& batch, const SafetensorsFile& vectors,
                   const test::OracleCase& c, std::vector<Comparison>& out) {
  model.visit_parameters([](Parameter& p) { p.var.set_grad({}); });
  const Var loss = test::mean_loss(model, batch);
  out.push_back({"loss", std::abs(loss.value().item() - vectors.get("out.loss").item()), c.loss});
  backward(loss);
  model.visit_parameters([&](Parameter& p) {
    const std::string key = "grad." + p.name;
    require(vectors.has(key), "'{}' has no '{}'", c.vectors.string(), key);
    require(p.var.grad().defined(), "{} has no gradient", p.name);
    const Tensor expected = vectors.get(key);
    double size = test::max_magnitude(expected);
    // A key bias moves all scores of a query alike: its gradient is 0 but for rounding, which is
    // held against the gradient of the weight beside it.
    for (const char* bias : {"key.bias", "k_proj.bias"}) {
      const size_t at = key.rfind(bias);
      if (at == std::string::npos) continue;
      const std::string weight = key.substr(0, key.size() - 4) + "weight";
      if (vectors.has(weight)) size = std::max(size, test::max_magnitude(vectors.get(weight)));
    }
    out.push_back({p.name, test::max_difference(p.var.grad(), expected) / size, c.grad_rel});
  });
}

std::vector<Comparison> check(const test::OracleCase& c) {
  const auto vectors = SafetensorsFile::open(c.vectors);
  const Config config = Config::load(c.folder);
  const LoadedModel loaded = load_model(c.folder, {.task = task_of(config)});
  require(loaded.initialised.empty() && loaded.unused.empty(),
          "{} parameters are missing and {} tensors have no place", loaded.initialised.size(),
          loaded.unused.size());
  Model& model = *loaded.model;
  require(model.info().architecture == config.architecture(), "{} was built for {}",
          model.info().architecture, config.architecture());
  const test::OracleBatch batch = test::read_batch(*vectors, "in.", model.info());
  std::vector<Comparison> out;
  out.push_back(
      {"logits",
       test::logits_error(test::logits_of(model, batch), vectors->get("out.logits"), batch),
       c.logits});
  for (const std::string& name : vectors->names()) {
    if (name.rfind("out.", 0) != 0 || name == "out.logits" || name == "out.loss") continue;
    if (name == "out.greedy")
      out.push_back({"greedy", test::generation_error(model, batch, vectors->get(name), 1), 0});
    else if (name == "out.beam3")
      out.push_back(
          {"beam search", test::generation_error(model, batch, vectors->get(name), 3), 0});
    else
      fail("'{}' is not known", name);
  }
  std::set<std::string> parameters;
  model.visit_parameters([&](Parameter& p) {
    p.make_trainable();
    parameters.insert(p.name);
  });
  for (const bool checkpointing : {false, true}) {
    model.gradient_checkpointing = checkpointing;
    add_gradients(model, batch, *vectors, c, out);
  }
  for (const std::string& name : vectors->names())
    require(name.rfind("grad.", 0) != 0 || parameters.count(name.substr(5)) > 0,
            "'{}' is no parameter here", name);
  return out;
}

TEST_CASE("oracle: models") { CHECK(test::walk_oracle("models", check) == 0); }

}  // namespace
}  // namespace lk
