// Prefixes and virtual tokens that HF PEFT trained, plugged in by hand: its logits, loss and
// gradients.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "tests/oracle.h"

namespace lk {
namespace {

// HF PEFT's prefix: one row [layers, keys or values, kv_dim] for each virtual token.
struct Prefix : KvAdapter {
  Var all;
  int64_t layer, kv_dim;
  std::pair<Var, Var> prefix() override {
    const int64_t layers = all.dim(1) / (2 * kv_dim);
    const std::vector<Var> parts =
        split_columns(all, std::vector<int64_t>(static_cast<size_t>(2 * layers), kv_dim));
    return {parts[static_cast<size_t>(2 * layer)], parts[static_cast<size_t>(2 * layer + 1)]};
  }
  void visit(const ParameterVisitor&) override {}
};

struct Later : InputAdapter {
  int32_t by;
  Var forward(const Var& embedded, Packing& packing) override {
    for (int32_t& p : packing.positions) p += by;
    return embedded;
  }
  void visit(const ParameterVisitor&) override {}
};

struct Front : InputAdapter {
  Var tokens;
  Var forward(const Var& embedded, Packing& packing) override {
    return put_before(tokens, embedded, packing);
  }
  void visit(const ParameterVisitor&) override {}
};

void check_case(const std::string& kind, const std::string& type) {
  const std::string name = kind + "-" + type;
  CAPTURE(name);
  const std::filesystem::path root = "tests/oracle/peft";
  const auto vectors = SafetensorsFile::open(root / name / "vectors.safetensors"),
             file = SafetensorsFile::open(root / name / "adapter_model.safetensors");
  const test::OracleBatch batch = test::read_batch(*vectors, "in.");
  const bool classes = !batch.class_labels.empty();
  const LoadedModel loaded = load_model(root / ("base-" + type),
                                        {.task = classes ? Task::classification : Task::causal_lm});
  Model& model = *loaded.model;
  if (classes)  // the head is trained too
    model.visit_parameters([&](Parameter& p) {
      const std::string trained = "base_model." + p.name;
      if (file->has(trained)) p.set(file->get(trained));
    });
  const Var learnt = Var::leaf(file->get("prompt_embeddings").clone());
  const auto count = static_cast<int32_t>(learnt.dim(0));
  if (kind == "prefix") {
    for (size_t l = 0; l < model.blocks().size(); ++l) {
      const auto prefix = std::make_shared<Prefix>();
      prefix->all = learnt;
      prefix->layer = static_cast<int64_t>(l);
      prefix->kv_dim = model.info().kv_heads * model.info().head_dim;
      model.blocks()[l].kv = prefix;
    }
    const auto later = std::make_shared<Later>();
    later->by = count;
    model.input_adapters() = {later};
  } else {
    const auto front = std::make_shared<Front>();
    front->tokens = learnt;
    model.input_adapters() = {front};
  }
  {
    const NoGrad no_grad;
    ModelInput in = batch.input();
    const Var h = model.hidden(in);
    const Tensor expected = vectors->get("out.logits");
    if (classes) {
      CHECK(test::max_difference(model.class_logits(h, in.packing).value(), expected) <= 2e-4);
    } else {
      const Tensor logits = model.lm_logits(h).value();
      const int64_t vocab = logits.dim(1), length = expected.dim(1);
      double most = 0;
      for (size_t b = 0; b + 1 < in.packing.offsets.size(); ++b)
        for (int64_t t = 0; t < in.packing.offsets[b + 1] - in.packing.offsets[b]; ++t)
          for (int64_t j = 0; j < vocab; ++j)
            most = std::max(
                most, std::abs(logits.item((in.packing.offsets[b] + t) * vocab + j) -
                               expected.item((static_cast<int64_t>(b) * length + t) * vocab + j)));
      CHECK(most <= 2e-4);
    }
  }
  const Var loss = test::mean_loss(model, batch);
  CHECK(std::abs(loss.value().item() - vectors->get("out.loss").item()) <= 1e-5);
  backward(loss);
  const Tensor g = vectors->get("grad.prompt_encoder.default.embedding.weight");
  CHECK(test::max_difference(learnt.grad(), g) <= 2e-3 * test::max_magnitude(g));
}

TEST_CASE("hooks: HF PEFT's prefix tuning") {
  for (const char* type : {"gpt2", "llama", "bert"}) check_case("prefix", type);
}
TEST_CASE("hooks: HF PEFT's prompt tuning") {
  for (const char* type : {"gpt2", "llama", "bert"}) check_case("prompt", type);
}

}  // namespace
}  // namespace lk
