// Every model of the reference's index: logits, loss, the gradient of every parameter, and what
// generation writes.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "nn/generate.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using test::Comparison;

// The ids that generate returned against a row of [B, N] of the reference: the prompt (or the start
// token) of `start` ids included, eos and the padding behind it left out. 0 where they are the
// same, else 1.
double ids_error(const std::vector<int32_t>& ours, const std::vector<int32_t>& theirs, size_t start,
                 const ModelInfo& info) {
  std::vector<int32_t> expected;
  for (size_t i = 0; i < theirs.size(); ++i) {
    const bool ended =
        std::find(info.eos_ids.begin(), info.eos_ids.end(), theirs[i]) != info.eos_ids.end();
    if (ended && i >= start) break;
    expected.push_back(theirs[i]);
  }
  return ours == expected ? 0 : 1;
}

// The prompts of out.greedy and out.beam3: the first row without padding, all rows of an
// encoder-decoder's batch.
std::vector<std::vector<int32_t>> prompts_of(const test::OracleBatch& batch, const ModelInfo& info,
                                             size_t rows) {
  std::vector<std::vector<int32_t>> out;
  const std::vector<int32_t>& ids = info.encoder_decoder() ? batch.source_ids : batch.ids;
  const std::vector<int32_t>& offsets =
      info.encoder_decoder() ? batch.source.offsets : batch.packing.offsets;
  for (size_t b = 0; b < rows; ++b)
    out.emplace_back(ids.begin() + offsets[b], ids.begin() + offsets[b + 1]);
  return out;
}

Comparison generated(Model& model, const test::OracleBatch& batch, const Tensor& expected,
                     const std::string& what, int64_t beams) {
  const ModelInfo& info = model.info();
  const int64_t rows = expected.dim(0), length = expected.dim(1);
  auto prompts = prompts_of(batch, info, static_cast<size_t>(rows));
  GenerateOptions options;
  const int64_t start = info.encoder_decoder() ? 1 : static_cast<int64_t>(prompts[0].size());
  options.max_new_tokens = length - start;
  options.num_beams = beams;
  const auto written = generate(model, prompts, options);
  double error = 0;
  for (int64_t b = 0; b < rows; ++b) {
    std::vector<int32_t> ours = info.encoder_decoder() ? std::vector<int32_t>{info.decoder_start_id}
                                                       : prompts[static_cast<size_t>(b)];
    const auto& more = written[static_cast<size_t>(b)];
    ours.insert(ours.end(), more.begin(), more.end());
    error = std::max(error, ids_error(ours, expected.rows(b, b + 1).to_vector<int32_t>(),
                                      static_cast<size_t>(start), info));
  }
  return {what, error, 0};
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
      out.push_back(generated(model, batch, vectors->get(name), "greedy", 1));
    else if (name == "out.beam3")
      out.push_back(generated(model, batch, vectors->get(name), "beam search", 3));
    else
      fail("'{}' is not known", name);
  }
  model.visit_parameters([](Parameter& p) { p.make_trainable(); });
  const Var loss = test::mean_loss(model, batch);
  out.push_back({"loss", std::abs(loss.value().item() - vectors->get("out.loss").item()), c.loss});
  backward(loss);
  std::map<std::string, bool> seen;
  model.visit_parameters([&](Parameter& p) {
    const std::string key = "grad." + p.name;
    require(vectors->has(key), "'{}' has no '{}'", c.vectors.string(), key);
    require(p.var.grad().defined(), "{} has no gradient", p.name);
    seen[key] = true;
    const Tensor expected = vectors->get(key);
    double size = test::max_magnitude(expected);
    // A key bias moves all scores of a query alike: its gradient is 0 but for rounding, which is
    // held against the gradient of the weight beside it.
    for (const char* bias : {"key.bias", "k_proj.bias"}) {
      const size_t at = key.rfind(bias);
      if (at == std::string::npos) continue;
      const std::string weight = key.substr(0, key.size() - 4) + "weight";
      if (vectors->has(weight)) size = std::max(size, test::max_magnitude(vectors->get(weight)));
    }
    out.push_back({p.name, test::max_difference(p.var.grad(), expected) / size, c.grad_rel});
  });
  for (const std::string& name : vectors->names())
    require(name.rfind("grad.", 0) != 0 || seen.count(name) > 0, "'{}' is no parameter here", name);
  return out;
}

TEST_CASE("oracle: models") { CHECK(test::walk_oracle("models", check) == 0); }

}  // namespace
}  // namespace lk
