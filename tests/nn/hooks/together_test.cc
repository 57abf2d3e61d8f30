// Parts at every hook at once: gradients, dtypes, bits, generation.
#include <doctest/doctest.h>

#include "nn/generate.h"
#include "tests/nn/hooks/parts.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using namespace test;

// A part at every hook at once.
std::vector<Parameter*> plug_everything(Model& model, DType dtype) {
  std::vector<Parameter*> parameters;
  const auto own = [&](Adapter& adapter) {
    adapter.visit([&](Parameter& p) {
      p.make_trainable();
      parameters.push_back(&p);
    });
  };
  uint64_t seed = 40;
  for (Linear* l : linears(model)) {
    const auto adapter = std::make_shared<LowRank>(*l, dtype, seed += 2);
    l->adapters() = {adapter};
    own(*adapter);
  }
  for (Block& b : model.blocks()) {
    for (auto* place : {&b.attn_out, &b.ffn_out}) {
      const auto adapter = std::make_shared<Bottleneck>(16, dtype, seed += 2);
      *place = {adapter};
      own(*adapter);
    }
    const auto prefix = std::make_shared<Prefix>();
    prefix->k = parameter({3, kv_dim(model)}, dtype, ++seed);
    prefix->v = parameter({3, kv_dim(model)}, dtype, ++seed);
    b.kv = prefix;
    own(*prefix);
  }
  const auto front = std::make_shared<Front>();
  front->tokens = parameter({2, 16}, dtype, ++seed);
  model.input_adapters() = {front};
  own(*front);
  model.visit_embeddings([&](Embedding& e) {
    const auto adapter = std::make_shared<LowRankTable>(e, dtype, seed += 2);
    e.adapters = {adapter};
    own(*adapter);
  });
  return parameters;
}

TEST_CASE("hooks: gradients reach every plugged-in parameter") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f64);
    const auto parameters = plug_everything(*model, DType::f64);
    const Packed batch = pack(random_documents({4, 1, 6}, 3));
    CHECK(gradient_error(*model, batch, parameters) <= 1e-6);
    std::vector<Tensor> grads;
    for (Parameter* p : parameters) {
      grads.push_back(p->var.grad());
      p->var.set_grad({});
    }
    model->gradient_checkpointing = true;
    backward(loss_of(*model, batch));
    for (size_t i = 0; i < parameters.size(); ++i)
      CHECK(same_bits(parameters[i]->var.grad(), grads[i]));
  }
}

TEST_CASE("hooks: f32 parameters beside bf16 activations") {
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    const Packed batch = pack(random_documents({4, 1, 6}, 3));
    std::vector<Tensor> reference;
    for (const DType dtype : {DType::f32, DType::bf16}) {
      auto model = tiny_model(type, dtype);
      const auto parameters = plug_everything(*model, DType::f32);
      backward(loss_of(*model, batch));
      for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor g = parameters[i]->var.grad();
        REQUIRE(g.defined());
        CHECK(g.dtype() == DType::f32);
        if (dtype == DType::f32)
          reference.push_back(g);
        else
          CHECK(max_difference(g, reference[i]) <= 0.15 * max_magnitude(reference[i]) + 0.05);
      }
    }
  }
}

TEST_CASE("hooks: parts that pass everything through change no bit") {
  struct SameLinear : LinearAdapter {
    Var forward(const Linear&, const Var& x, const Inner& inner) override { return inner(x); }
    void visit(const ParameterVisitor&) override {}
  };
  struct SameBlock : BlockAdapter {
    Var forward(const Var& h, const Sublayer&) override { return h; }
    void visit(const ParameterVisitor&) override {}
  };
  for (const std::string& type : tiny_types())
    for (const DType dtype : {DType::f32, DType::bf16}) {
      CAPTURE(type);
      auto model = tiny_model(type, dtype);
      const Packed batch = pack(random_documents({4, 1, 6}, 3));
      const auto gradients = [&] {
        std::vector<Tensor> out;
        model->visit_parameters([](Parameter& p) {
          p.make_trainable();
          p.var.set_grad({});
        });
        const Var loss = loss_of(*model, batch);
        backward(loss);
        out.push_back(loss.value());
        model->visit_parameters([&](Parameter& p) { out.push_back(p.var.grad()); });
        return out;
      };
      const std::vector<Tensor> empty = gradients();
      const Tensor hidden = hidden_of(*model, batch);
      for (Linear* l : linears(*model))
        // The head's loss is worked out another way when it has an adapter.
        if (l->role() != Role::head) l->adapters() = {std::make_shared<SameLinear>()};
      for (Block& b : model->blocks()) b.attn_out = b.ffn_out = {std::make_shared<SameBlock>()};
      model->input_adapters() = {std::make_shared<Later>()};
      const std::vector<Tensor> passed = gradients();
      REQUIRE(passed.size() == empty.size());
      for (size_t i = 0; i < empty.size(); ++i) CHECK(same_bits(passed[i], empty[i]));
      for (Block& b : model->blocks()) {
        const auto none = std::make_shared<Prefix>();
        none->k.var = none->v.var = Tensor::empty({0, kv_dim(*model)}, DType::f32);
        b.kv = none;
      }
      CHECK(same_bits(hidden_of(*model, batch), hidden));
    }
}

TEST_CASE("hooks: generation with adapters is the full forward's choice") {
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f32);
    plug_everything(*model, DType::f32);
    const Documents prompts = random_documents({5, 1, 9}, 2);
    GenerateOptions options;
    options.max_new_tokens = 12;
    const Documents got = generate(*model, prompts, options);
    for (size_t i = 0; i < prompts.size(); ++i) CHECK(greedy(*model, prompts[i], 12) == got[i]);
  }
}

}  // namespace
}  // namespace lk
