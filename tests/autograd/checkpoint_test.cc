// Gradient checkpointing (autograd/var.h, nn/model.h): the same bits for less memory.
#include "autograd/ops.h"
#include "engine/rng.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

struct Gradients {
  double loss = 0;
  uint64_t next_stream = 0;
  std::vector<std::pair<std::string, Tensor>> of;
};

Gradients gradients(Model& model, const test::Packed& batch, bool checkpointing,
                    const std::string& only) {
  model.gradient_checkpointing = checkpointing;
  model.training = true;
  dropout_state() = {5, 1};
  model.visit_parameters([&](Parameter& p) {
    p.freeze();
    if (p.name.find(only) != std::string::npos) p.make_trainable();
  });
  Gradients out;
  for (int pass = 0; pass < 2; ++pass) {  // collected over two passes, as accumulation does
    const Var loss = test::loss_of(model, batch);
    out.loss += loss.value().item();
    backward(loss);
  }
  out.next_stream = dropout_state().next_stream;
  model.visit_parameters([&](Parameter& p) {
    if (p.var.needs_grad()) out.of.emplace_back(p.name, p.var.grad());
  });
  return out;
}

TEST_CASE("checkpointing gives the same bits, dropout on, whatever trains") {
  const auto batch = test::pack(test::random_documents({9, 14, 3}, 4));
  for (const std::string& type : test::tiny_types())
    for (const DType dtype : {DType::f32, DType::bf16})
      // All of it, the last block, and what stands below all blocks.
      for (const std::string only : {"", ".1.", "embed"}) {
        if (type == "gpt2" && only == "embed") continue;
        const auto model = test::tiny_model(type, dtype, 0.2);
        const Gradients kept = gradients(*model, batch, false, only),
                        again = gradients(*model, batch, true, only);
        CAPTURE(type);
        CAPTURE(name_of(dtype));
        CAPTURE(only);
        CHECK(kept.loss == again.loss);
        CHECK(kept.next_stream == again.next_stream);
        CHECK(kept.next_stream > 1);
        REQUIRE(kept.of.size() == again.of.size());
        CHECK(!kept.of.empty());
        for (size_t i = 0; i < kept.of.size(); ++i) {
          CAPTURE(kept.of[i].first);
          CHECK(test::same_bits(kept.of[i].second, again.of[i].second));
        }
      }
}

TEST_CASE("checkpointing holds the activations of one block at a time") {
  const auto peak = [](bool checkpointing, int layers) {
    const Config config = Config::parse(
        R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 29,
            "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 96,
            "max_position_embeddings": 512, "num_hidden_layers": )" +
            std::to_string(layers) + "}",
        "config");
    const auto model = make_model(config, Task::causal_lm, DType::f32, 1);
    model->visit_parameters([](Parameter& p) { p.make_trainable(); });
    model->gradient_checkpointing = checkpointing;
    const auto batch = test::pack(test::random_documents({300, 200}, 2));
    const size_t kind = static_cast<size_t>(Category::activations);
    reset_memory_peak();
    const int64_t before = memory_stats().live[kind];
    backward(test::loss_of(*model, batch));
    return static_cast<double>(memory_stats().peak[kind] - before);
  };
  const double kept2 = peak(false, 2), kept8 = peak(false, 8), again2 = peak(true, 2),
               again8 = peak(true, 8);
  CHECK(again8 < 0.4 * kept8);
  // A further block costs its input alone: [500, 32] in f32.
  CHECK((again8 - again2) / 6 <= 1.2 * 500 * 32 * 4);
  CHECK((kept8 - kept2) / 6 >= 8 * 500 * 32 * 4);
}

}  // namespace
}  // namespace lk
