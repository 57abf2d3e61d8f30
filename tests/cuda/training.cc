#include "tests/cuda/training.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "quant/quantizer.h"
#include "tests/cuda/watch.h"
#include "tests/peft/contract.h"
#include "tests/support.h"

namespace lk::test {
namespace {

std::string config_of(const std::string& type) {
  if (type == "gpt2")
    return R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 29,
      "n_embd": 24, "n_layer": 2, "n_head": 3, "n_positions": 48, "initializer_range": 0.3,
      "embd_pdrop": 0.1, "attn_pdrop": 0.1, "resid_pdrop": 0.1})";
  if (type == "llama")
    return R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 29,
      "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "intermediate_size": 40, "max_position_embeddings": 48,
      "attention_bias": true, "initializer_range": 0.3, "attention_dropout": 0.1,
      "tie_word_embeddings": false})";
  if (type == "t5")
    return R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"],
      "vocab_size": 29, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2,
      "num_decoder_layers": 2, "num_heads": 2, "relative_attention_num_buckets": 8,
      "relative_attention_max_distance": 20, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false, "decoder_start_token_id": 0, "initializer_range": 0.15,
      "dropout_rate": 0.1})";
  return R"({"model_type": "bert", "architectures": ["BertForSequenceClassification"],
      "vocab_size": 29, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
      "intermediate_size": 24, "max_position_embeddings": 48, "num_labels": 3,
      "initializer_range": 0.3, "hidden_dropout_prob": 0.1,
      "attention_probs_dropout_prob": 0.1})";
}

}  // namespace

Trained make(const Run& run, Device device) {
  Trained t;
  t.model = make_model(Config::parse(config_of(run.type), run.type),
                       run.type == "bert" ? Task::classification : Task::causal_lm, run.compute, 7);
  if (!run.quant.empty())
    quantize_linears(*t.model, Quantizer(QuantSpec{.type = run.quant, .double_quant = true}));
  t.method = method_of(run.method, run.settings);
  t.method->attach(*t.model, 11);
  move_parameters(*t.model, t.method.get(), device);
  t.parameters = select_parameters(*t.model, *t.method);
  return t;
}

Trained train(const Run& run, Device device, int steps) {
  Trained t = make(run, device);
  // Gradients that are 0 but for rounding (a key's bias) would be scaled up to whole steps by the
  // usual eps of 1e-8: their sign is not what is compared here.
  const auto optimizer = make_optimizer({.name = run.optimizer, .eps = 1e-3},
                                        parameter_groups(t.parameters, *t.method, 0.01));
  dropout_state() = {3, 1};
  t.method->start_training(steps);
  t.model->training = true;
  t.model->gradient_checkpointing = run.checkpointing;
  for (int step = 0; step < steps; ++step) {
    const Packed batch = pack(random_documents({5, 1, 9, 3}, 40 + static_cast<uint64_t>(step)));
    Var loss = loss_of(*t.model, batch);
    if (const Var term = t.method->penalty(); term.defined()) loss = add(loss, term);
    t.losses.push_back(loss.value().item());
    backward(scale(loss, 0.1f));
    t.losses.push_back(clip_grad_norm(optimizer->groups(), 0.5));
    optimizer->step(0.02);
    t.method->after_update(step);
    optimizer->zero_grad();
  }
  t.model->training = false;
  return t;
}

double difference(Trained& a, Trained& b) {
  std::vector<Tensor> of_a, of_b;
  const auto keep = [](std::vector<Tensor>& to) {
    return [&to](Parameter& p) { to.push_back(p.var.value().to(Device::cpu)); };
  };
  a.model->visit_parameters(keep(of_a)), a.method->visit(keep(of_a));
  b.model->visit_parameters(keep(of_b)), b.method->visit(keep(of_b));
  REQUIRE(of_a.size() == of_b.size());
  double worst = 0;
  for (size_t i = 0; i < of_a.size(); ++i)
    for (int64_t j = 0; j < of_a[i].numel(); ++j) {
      const double d = std::abs(of_a[i].item(j) - of_b[i].item(j));
      if (!std::isfinite(d)) return HUGE_VAL;
      worst = std::max(worst, d);
    }
  return worst;
}

namespace {
double moved(Trained& after, const Run& run) {
  Trained before = make(run, Device::cpu);
  return difference(before, after);
}

}  // namespace

void check_equal(const Run& run, double tolerance, int steps) {
  CAPTURE(run.type);
  CAPTURE(run.method);
  CAPTURE(run.optimizer);
  Trained cpu = train(run, Device::cpu, steps);
  const Watch watch;
  Trained cuda = train(run, Device::cuda, steps);
  CHECK(watch.faults() == "");
  for (const Parameter* p : cuda.parameters) CHECK(p->var.value().device() == Device::cuda);
  CHECK(difference(cpu, cuda) <= tolerance);
  CHECK(moved(cuda, run) > std::max(2e-3, 4 * tolerance));
  REQUIRE(cpu.losses.size() == cuda.losses.size());
  for (size_t i = 0; i < cpu.losses.size(); ++i) {
    CAPTURE(cpu.losses[i]);
    CAPTURE(cuda.losses[i]);
    CHECK((std::abs(cpu.losses[i] - cuda.losses[i]) <= tolerance * std::abs(cpu.losses[i])));
  }
}

}  // namespace lk::test
