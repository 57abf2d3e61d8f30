// The places where methods plug in, on every architecture: each gets what it is promised, what it
// returns is what the model goes on with, and gradients reach its parameters.
#include "nn/hooks.h"

#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "tests/oracle.h"
#include "tests/support.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

using test::Documents;
using test::Packed;

Parameter parameter(const Shape& shape, DType dtype, uint64_t seed, double std = 0.3) {
  Parameter p("p", shape);
  p.set(test::random_tensor(shape, dtype, seed, std));
  return p;
}

// y + x A^T B^T, on a linear layer.
struct LowRank : LinearAdapter {
  Parameter a, b;
  LowRank(const Linear& l, DType dtype, uint64_t seed)
      : a(parameter({2, l.in_features()}, dtype, seed)),
        b(parameter({l.out_features(), 2}, dtype, seed + 1)) {}
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    return low_rank_add(inner(x), x, a.var, b.var, 0.5f);
  }
  void visit(const ParameterVisitor& f) override { f(a), f(b); }
};

// What goes into a linear layer and what comes out.
struct Tap : LinearAdapter {
  Tensor x, y;
  Var forward(const Linear&, const Var& in, const Inner& inner) override {
    const Var out = inner(in);
    x = in.value().clone();
    y = out.value().clone();
    return out;
  }
  void visit(const ParameterVisitor&) override {}
};

// Rows of A B^T added to those of a table.
struct LowRankTable : EmbeddingAdapter {
  Parameter a, b;
  LowRankTable(const Embedding& e, DType dtype, uint64_t seed)
      : a(parameter({e.weight.shape[0], 1}, dtype, seed)),
        b(parameter({e.weight.shape[1], 1}, dtype, seed + 1)) {}
  Var forward(const Embedding&, std::span<const int32_t> ids, const Inner& inner) override {
    const Var rows = inner(ids);
    return add(rows, linear(embedding(a.var, ids, rows.dtype()), b.var));
  }
  void visit(const ParameterVisitor& f) override { f(a), f(b); }
};

// h + tanh(input D^T) U^T; remembers what it got.
struct Bottleneck : BlockAdapter {
  Parameter down, up;
  Tensor h_seen, input_seen;
  Bottleneck(int64_t d, DType dtype, uint64_t seed)
      : down(parameter({3, d}, dtype, seed)), up(parameter({d, 3}, dtype, seed + 1)) {}
  Var forward(const Var& h, const Sublayer& at) override {
    const Var& input = at.input;
    h_seen = h.value().clone();
    input_seen = input.value().clone();
    return add(h, linear(tanh(linear(input, down.var)), up.var));
  }
  void visit(const ParameterVisitor& f) override { f(down), f(up); }
};

struct Product : BlockAdapter {  // h M^T
  Var m;
  Var forward(const Var& h, const Sublayer&) override { return linear(h, m); }
  void visit(const ParameterVisitor&) override {}
};

struct Prefix : KvAdapter {
  Parameter k, v;
  KvPrefix prefix(const Var&, std::span<const int32_t>) override { return {k.var, v.var}; }
  void visit(const ParameterVisitor& f) override { f(k), f(v); }
};

struct Front : InputAdapter {  // virtual tokens before every document
  Parameter tokens;
  Var forward(const Var& embedded, Packing& packing) override {
    return put_before(tokens.var, embedded, packing);
  }
  void visit(const ParameterVisitor& f) override { f(tokens); }
};

struct Later : InputAdapter {  // positions start at `by`
  int32_t by = 0;
  Var forward(const Var& embedded, Packing& packing) override {
    for (int32_t& p : packing.positions) p += by;
    return embedded;
  }
  void visit(const ParameterVisitor&) override {}
};

std::vector<Linear*> linears(Model& model) {
  std::vector<Linear*> out;
  model.visit_linears([&](Linear& l) { out.push_back(&l); });
  return out;
}

Linear& linear_of(Model& model, int layer, std::initializer_list<Role> roles) {
  for (Linear* l : linears(model))
    for (const Role r : roles)
      if (l->layer() == layer && l->role() == r) return *l;
  fail("no such layer");
}

int64_t kv_dim(const Model& model) { return model.info().kv_heads * model.info().head_dim; }

// Rows of each document after the first `skip` ones.
Tensor rows_after(const Tensor& h, const Packed& batch, int64_t skip) {
  std::vector<Var> parts;
  for (size_t b = 0; b + 1 < batch.packing.offsets.size(); ++b)
    parts.emplace_back(h.rows(batch.packing.offsets[b] + skip, batch.packing.offsets[b + 1]));
  return concat_rows(parts).value();
}

// The keys and values that the layers of a causal model make of `tokens` at the start of a text.
std::vector<std::shared_ptr<Prefix>> prefix_of(Model& model, const std::vector<int32_t>& tokens) {
  const NoGrad no_grad;
  KvCache cache(1, model.info().layers, 1, kv_dim(model), model.compute_dtype());
  const Packed batch = test::pack({tokens});
  ModelInput in = batch.input();
  in.cache = &cache;
  model.hidden(in);
  std::vector<std::shared_ptr<Prefix>> out;
  for (int64_t l = 0; l < model.info().layers; ++l) {
    const Tensor none = Tensor::empty({0, kv_dim(model)}, model.compute_dtype());
    const auto [k, v] = cache.append(0, l, none, none);
    out.push_back(std::make_shared<Prefix>());
    out.back()->k.var = k.clone();
    out.back()->v.var = v.clone();
  }
  return out;
}

void plug(Model& model, const std::vector<std::shared_ptr<Prefix>>& prefix) {
  for (size_t l = 0; l < prefix.size(); ++l) model.blocks()[l].kv = prefix[l];
}

// Greedy text without a cache: the whole text is read for every token.
std::vector<int32_t> greedy(Model& model, std::vector<int32_t> text, int64_t count) {
  const NoGrad no_grad;
  std::vector<int32_t> out;
  for (int64_t n = 0; n < count; ++n) {
    const Packed batch = test::pack({text});
    const Tensor h = test::hidden_of(model, batch);
    const Tensor z = model.lm_logits(h.rows(h.dim(0) - 1, h.dim(0))).value();
    Random unused(0);
    out.push_back(choose_token(z, {}, unused));
    text.push_back(out.back());
  }
  return out;
}

TEST_CASE("BlockAdapter: gets a sublayer's output and input, and its result goes on") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f64);
    const Packed batch = test::pack(test::random_documents({5, 9}, 1));
    for (int layer = 0; layer < 2; ++layer) {
      Linear &first = linear_of(*model, layer, {Role::q, Role::qkv}),
             &o = linear_of(*model, layer, {Role::o}), &up = linear_of(*model, layer, {Role::up}),
             &down = linear_of(*model, layer, {Role::down});
      Block& block = model->blocks()[static_cast<size_t>(layer)];
      const auto seen = [&](Linear& in, Linear& out, auto& place) {
        const auto tap_in = std::make_shared<Tap>(), tap_out = std::make_shared<Tap>();
        const auto adapter = std::make_shared<Bottleneck>(16, DType::f64, 3);
        in.adapters() = {tap_in};
        out.adapters() = {tap_out};
        place = {adapter};
        test::hidden_of(*model, batch);
        CHECK(test::same_bits(adapter->input_seen, tap_in->x));
        CHECK(test::same_bits(adapter->h_seen, tap_out->y));
        in.adapters().clear();
        out.adapters().clear();
        place.clear();
      };
      seen(first, o, block.attn_out);
      seen(up, down, block.ffn_out);

      // A matrix behind the sublayer is the same as that matrix in its last layer.
      const auto folded = [&](Linear& last, auto& place) {
        const auto product = std::make_shared<Product>();
        product->m = test::random_tensor({16, 16}, DType::f64, 5, 0.3);
        place = {product};
        const Tensor with_hook = test::hidden_of(*model, batch);
        place.clear();
        const Tensor w = last.weight().dense(DType::f64),
                     b = last.bias().defined() ? last.bias().var.value() : Tensor();
        const Tensor plain = test::hidden_of(*model, batch);
        // [out, in] of M W: columns of W are the rows that `linear` multiplies.
        last.weight().assign(linear(product->m, Var(w), {}, true).value());
        if (b.defined()) last.bias().set(linear(b.view({1, 16}), product->m).value().view({16}));
        CHECK(test::max_difference(test::hidden_of(*model, batch), with_hook) <= 1e-12);
        CHECK(test::max_difference(plain, with_hook) > 1e-3);
        last.weight().assign(w);
        if (b.defined()) last.bias().set(b);
      };
      folded(o, block.attn_out);
      folded(down, block.ffn_out);
    }
  }
}

TEST_CASE("LinearAdapter: on every layer the same as a changed weight; the last one is outermost") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f64);
    const Packed batch = test::pack(test::random_documents({5, 9, 1}, 1));
    const NoGrad no_grad;
    const double base = test::loss_of(*model, batch).value().item();
    size_t count = 0;
    for (Linear* l : linears(*model)) {
      CAPTURE(l->name());
      const auto adapter = std::make_shared<LowRank>(*l, DType::f64, ++count * 10);
      l->adapters() = {adapter, adapter};
      const double twice = test::loss_of(*model, batch).value().item();
      l->adapters() = {adapter};
      const double with_hook = test::loss_of(*model, batch).value().item();
      CHECK(std::abs(with_hook - base) > 1e-6);
      l->adapters().clear();
      const Tensor w = l->weight().dense(DType::f64);
      const auto changed = [&](double times) {
        // W + times * 0.5 B A
        const Var ba = linear(adapter->b.var, adapter->a.var, {}, true);
        l->weight().assign(add(Var(w), scale(ba, static_cast<float>(0.5 * times))).value());
        return test::loss_of(*model, batch).value().item();
      };
      CHECK(std::abs(with_hook - changed(1)) <= 1e-11 * std::abs(base));
      CHECK(std::abs(twice - changed(2)) <= 1e-11 * std::abs(base));
      l->weight().assign(w);
    }
    CHECK(count == (type == "gpt2" ? 9 : type == "llama" ? 15 : 14));
  }
  // Order: the second doubles what the first made.
  auto model = test::tiny_model("llama", DType::f64);
  Linear& l = linear_of(*model, 0, {Role::up});
  struct Twice : LinearAdapter {
    Var forward(const Linear&, const Var& x, const Inner& inner) override {
      return scale(inner(x), 2.0f);
    }
    void visit(const ParameterVisitor&) override {}
  };
  const auto low = std::make_shared<LowRank>(l, DType::f64, 1);
  const Var x = test::random_tensor({3, 16}, DType::f64, 2);
  l.adapters() = {low};
  const Tensor once = l(x).value();
  l.adapters() = {low, std::make_shared<Twice>()};
  CHECK(test::same_bits(l(x).value(), scale(Var(once), 2.0f).value()));
}

TEST_CASE("EmbeddingAdapter: on every table the same as a changed table") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f64);
    const Packed batch = test::pack(test::random_documents({5, 9}, 1));
    size_t count = 0;
    model->visit_embeddings([&](Embedding& e) {
      CAPTURE(e.name);
      CHECK(e.weight.name == e.name + ".weight");
      const auto adapter = std::make_shared<LowRankTable>(e, DType::f64, ++count);
      e.adapters = {adapter, adapter};
      const Tensor with_hook = test::hidden_of(*model, batch);
      e.adapters.clear();
      const Tensor plain = e.weight.var.value();
      const Var delta = linear(adapter->a.var, adapter->b.var);
      e.weight.set(add(add(Var(plain), delta), delta).value());
      CHECK(test::max_difference(with_hook, test::hidden_of(*model, batch)) <= 1e-13);
      e.weight.set(plain);
      CHECK(test::max_difference(with_hook, test::hidden_of(*model, batch)) > 1e-3);
    });
    CHECK(count == (type == "gpt2" ? 2 : type == "llama" ? 1 : 3));
  }
}

TEST_CASE("KvAdapter: the keys and values of real tokens act as those tokens in front") {
  const std::vector<int32_t> front{3, 17, 8, 21};
  const auto p = static_cast<int32_t>(front.size());
  const Documents documents = test::random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f64);
    const Packed whole = test::pack(test::with_front(front, documents)),
                 rest = test::pack(documents, p);
    const Tensor expected = rows_after(test::hidden_of(*model, whole), whole, p);
    plug(*model, prefix_of(*model, front));
    CHECK(test::max_difference(test::hidden_of(*model, rest), expected) <= 1e-12);
    // With positions moved by an input adapter: what HF PEFT does.
    const auto later = std::make_shared<Later>();
    later->by = p;
    model->input_adapters() = {later};
    CHECK(test::max_difference(test::hidden_of(*model, test::pack(documents)), expected) <= 1e-12);
    // bf16 activations beside a prefix in f32.
    auto half = test::tiny_model(type, DType::bf16);
    plug(*half, prefix_of(*half, front));
    const Tensor direct = test::hidden_of(*half, rest);
    for (Block& b : half->blocks()) {
      auto& prefix = static_cast<Prefix&>(*b.kv);
      prefix.k.var = prefix.k.var.value().to(DType::f32);
      prefix.v.var = prefix.v.var.value().to(DType::f32);
    }
    CHECK(test::same_bits(test::hidden_of(*half, rest), direct));
  }
  // An encoder's front reads the text too, so each document has its own: the neighbours see it as
  // well, but only the one it was made with is comparable.
  auto bert = test::tiny_model("bert", DType::f64);
  for (size_t d = 0; d < documents.size(); ++d) {
    const Packed whole = test::pack(test::with_front(front, {documents[d]})),
                 rest = test::pack(documents, p);
    std::vector<std::shared_ptr<Tap>> taps;
    for (int layer = 0; layer < 2; ++layer)
      for (const Role role : {Role::k, Role::v}) {
        taps.push_back(std::make_shared<Tap>());
        linear_of(*bert, layer, {role}).adapters() = {taps.back()};
      }
    const Tensor expected = rows_after(test::hidden_of(*bert, whole), whole, p);
    for (int layer = 0; layer < 2; ++layer) {
      const auto prefix = std::make_shared<Prefix>();
      prefix->k.var = taps[static_cast<size_t>(2 * layer)]->y.rows(0, p).clone();
      prefix->v.var = taps[static_cast<size_t>(2 * layer + 1)]->y.rows(0, p).clone();
      bert->blocks()[static_cast<size_t>(layer)].kv = prefix;
    }
    for (Linear* l : linears(*bert)) l->adapters().clear();
    const Tensor h = test::hidden_of(*bert, rest);
    CHECK(test::max_difference(h.rows(rest.packing.offsets[d], rest.packing.offsets[d + 1]),
                               expected) <= 1e-12);
    for (Block& b : bert->blocks()) b.kv = nullptr;
  }
  auto gpt2 = test::tiny_model("gpt2", DType::f32);
  auto wrong = std::make_shared<Prefix>();
  wrong->k.var = wrong->v.var = Tensor::zeros({2, 8}, DType::f32);
  gpt2->blocks()[1].kv = wrong;
  CHECK(test::error_of([&] {
          test::hidden_of(*gpt2, test::pack(documents));
        }).find("keys [2, 8]") != std::string::npos);
}

TEST_CASE("KvAdapter: generation sees the prefix, in every document") {
  const std::vector<int32_t> front{3, 17, 8, 21};
  const Documents prompts = test::random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f32);
    GenerateOptions options;
    options.max_new_tokens = 12;
    const Documents expected = generate(*model, test::with_front(front, prompts), options),
                    without = generate(*model, prompts, options);
    CHECK(expected != without);
    for (size_t i = 0; i < prompts.size(); ++i) CHECK(greedy(*model, prompts[i], 12) == without[i]);
    plug(*model, prefix_of(*model, front));
    const Documents unmoved = generate(*model, prompts, options);
    for (size_t i = 0; i < prompts.size(); ++i) CHECK(greedy(*model, prompts[i], 12) == unmoved[i]);
    const auto later = std::make_shared<Later>();
    later->by = static_cast<int32_t>(front.size());
    model->input_adapters() = {later};
    CHECK(generate(*model, prompts, options) == expected);
  }
}

// Rows of k and v for each document, from document `first` on.
struct OwnPrefix : KvAdapter {
  Parameter k, v;
  int64_t length, first = 0;
  KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) override {
    CHECK(x.dim(0) == offsets.back());
    const auto count = static_cast<int64_t>(offsets.size()) - 1;
    const auto part = [&](const Parameter& p) {
      return Var(p.var.value().rows(first * length, (first + count) * length));
    };
    std::vector<int32_t> bounds;
    for (int64_t b = 0; b <= count; ++b) bounds.push_back(static_cast<int32_t>(b * length));
    return {part(k), part(v), bounds};
  }
  void visit(const ParameterVisitor& f) override { f(k), f(v); }
};

TEST_CASE("KvAdapter: each document may have a prefix of its own, in a pass and in a cache") {
  const Documents documents = test::random_documents({5, 1, 9}, 3);
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f32);
    std::vector<std::shared_ptr<OwnPrefix>> prefixes;
    for (Block& b : model->blocks()) {
      const auto own = std::make_shared<OwnPrefix>();
      own->length = 2;
      own->k = parameter({6, kv_dim(*model)}, DType::f32, 40 + prefixes.size(), 1.0);
      own->v = parameter({6, kv_dim(*model)}, DType::f32, 60 + prefixes.size(), 1.0);
      b.kv = own;
      prefixes.push_back(own);
    }
    const Packed all = test::pack(documents);
    const Tensor together = test::hidden_of(*model, all);
    GenerateOptions options;
    options.max_new_tokens = 8;
    const Documents answers =
        model->info().causal ? generate(*model, documents, options) : Documents{};
    for (size_t d = 0; d < documents.size(); ++d) {
      for (const auto& own : prefixes) own->first = static_cast<int64_t>(d);
      const Tensor alone = test::hidden_of(*model, test::pack({documents[d]}));
      CHECK(test::max_difference(together.rows(all.packing.offsets[d], all.packing.offsets[d + 1]),
                                 alone) <= 1e-5);
      if (model->info().causal) CHECK(generate(*model, {documents[d]}, options)[0] == answers[d]);
    }
  }
}

TEST_CASE("InputAdapter: the embeddings of real tokens act as those tokens in front") {
  const std::vector<int32_t> front{3, 17, 8};
  const Documents documents = test::random_documents({5, 1, 9}, 2);
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f32);
    Packed whole = test::pack(test::with_front(front, documents)), rest = test::pack(documents);
    const auto adapter = std::make_shared<Front>();
    bool first = true;
    model->visit_embeddings([&](Embedding& e) {
      if (first) adapter->tokens.var = e(front, DType::f32).value();
      first = false;
    });
    if (type == "bert")
      for (size_t b = 0; b < documents.size(); ++b)
        for (size_t t = 0; t < documents[b].size() + front.size(); ++t) {
          const int32_t kind = t >= front.size() + 2;
          whole.packing.type_ids.push_back(kind);
          if (t >= front.size()) rest.packing.type_ids.push_back(kind);
        }
    // What stands before a virtual token is none of the text's: no label there but the first.
    for (size_t b = 0; b < documents.size(); ++b) {
      const auto at = whole.packing.labels.begin() + whole.packing.offsets[b];
      std::fill(at, at + 2, -100);
      rest.packing.first_labels.push_back(at[2]);
    }
    const Tensor expected = test::hidden_of(*model, whole);
    const double loss = test::loss_of(*model, whole).value().item();
    model->input_adapters() = {adapter};
    Packing moved;
    CHECK(test::same_bits(test::hidden_of(*model, rest, &moved), expected));
    CHECK(moved.positions == whole.packing.positions);
    CHECK(moved.offsets == whole.packing.offsets);
    CHECK(moved.labels == whole.packing.labels);
    if (type == "bert") CHECK(moved.type_ids == whole.packing.type_ids);
    CHECK(test::loss_of(*model, rest).value().item() == loss);
    rest.packing.first_labels.clear();
    test::hidden_of(*model, rest, &moved);
    CHECK(moved.labels[2] == -100);
    // Two adapters, one after the other, and one with no tokens at all.
    const auto none = std::make_shared<Front>();
    none->tokens.var = Tensor::empty({0, 16}, DType::f32);
    const auto head = std::make_shared<Front>(), tail = std::make_shared<Front>();
    head->tokens.var = adapter->tokens.var.value().rows(0, 1).clone();
    tail->tokens.var = adapter->tokens.var.value().rows(1, 3).clone();
    model->input_adapters() = {none, tail, head};
    CHECK(test::same_bits(test::hidden_of(*model, rest), expected));
  }
}

TEST_CASE("InputAdapter: generation inserts once, and the context counts virtual tokens") {
  const std::vector<int32_t> front{3, 17, 8};
  const Documents prompts = test::random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f32);
    GenerateOptions options;
    options.max_new_tokens = 100;  // the context of 48 ends it
    const Documents expected = generate(*model, test::with_front(front, prompts), options);
    const auto adapter = std::make_shared<Front>();
    model->visit_embeddings([&](Embedding& e) {
      if (!adapter->tokens.var.defined()) adapter->tokens.var = e(front, DType::f32).value();
    });
    model->input_adapters() = {adapter};
    const Documents got = generate(*model, prompts, options);
    CHECK(got == expected);
    CHECK(got[1].size() == 48 - 1 - 3);
    CHECK(test::error_of([&] {
            test::hidden_of(*model, test::pack(test::random_documents({46}, 1)));
          }).find("49 tokens with the virtual ones, more than the model's context of 48") !=
          std::string::npos);
  }
}

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
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f64);
    const auto parameters = plug_everything(*model, DType::f64);
    const Packed batch = test::pack(test::random_documents({4, 1, 6}, 3));
    CHECK(test::gradient_error(*model, batch, parameters) <= 1e-6);
    std::vector<Tensor> grads;
    for (Parameter* p : parameters) {
      grads.push_back(p->var.grad());
      p->var.set_grad({});
    }
    model->gradient_checkpointing = true;
    backward(test::loss_of(*model, batch));
    for (size_t i = 0; i < parameters.size(); ++i)
      CHECK(test::same_bits(parameters[i]->var.grad(), grads[i]));
  }
}

TEST_CASE("hooks: f32 parameters beside bf16 activations") {
  for (const std::string& type : test::tiny_types()) {
    CAPTURE(type);
    const Packed batch = test::pack(test::random_documents({4, 1, 6}, 3));
    std::vector<Tensor> reference;
    for (const DType dtype : {DType::f32, DType::bf16}) {
      auto model = test::tiny_model(type, dtype);
      const auto parameters = plug_everything(*model, DType::f32);
      backward(test::loss_of(*model, batch));
      for (size_t i = 0; i < parameters.size(); ++i) {
        const Tensor g = parameters[i]->var.grad();
        REQUIRE(g.defined());
        CHECK(g.dtype() == DType::f32);
        if (dtype == DType::f32)
          reference.push_back(g);
        else
          CHECK(test::max_difference(g, reference[i]) <=
                0.15 * test::max_magnitude(reference[i]) + 0.05);
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
  for (const std::string& type : test::tiny_types())
    for (const DType dtype : {DType::f32, DType::bf16}) {
      CAPTURE(type);
      auto model = test::tiny_model(type, dtype);
      const Packed batch = test::pack(test::random_documents({4, 1, 6}, 3));
      const auto gradients = [&] {
        std::vector<Tensor> out;
        model->visit_parameters([](Parameter& p) {
          p.make_trainable();
          p.var.set_grad({});
        });
        const Var loss = test::loss_of(*model, batch);
        backward(loss);
        out.push_back(loss.value());
        model->visit_parameters([&](Parameter& p) { out.push_back(p.var.grad()); });
        return out;
      };
      const std::vector<Tensor> empty = gradients();
      const Tensor hidden = test::hidden_of(*model, batch);
      for (Linear* l : linears(*model))
        // The head's loss is worked out another way when it has an adapter.
        if (l->role() != Role::head) l->adapters() = {std::make_shared<SameLinear>()};
      for (Block& b : model->blocks()) b.attn_out = b.ffn_out = {std::make_shared<SameBlock>()};
      model->input_adapters() = {std::make_shared<Later>()};
      const std::vector<Tensor> passed = gradients();
      REQUIRE(passed.size() == empty.size());
      for (size_t i = 0; i < empty.size(); ++i) CHECK(test::same_bits(passed[i], empty[i]));
      for (Block& b : model->blocks()) {
        const auto none = std::make_shared<Prefix>();
        none->k.var = none->v.var = Tensor::empty({0, kv_dim(*model)}, DType::f32);
        b.kv = none;
      }
      CHECK(test::same_bits(test::hidden_of(*model, batch), hidden));
    }
}

TEST_CASE("hooks: generation with adapters is the full forward's choice") {
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = test::tiny_model(type, DType::f32);
    plug_everything(*model, DType::f32);
    const Documents prompts = test::random_documents({5, 1, 9}, 2);
    GenerateOptions options;
    options.max_new_tokens = 12;
    const Documents got = generate(*model, prompts, options);
    for (size_t i = 0; i < prompts.size(); ++i) CHECK(greedy(*model, prompts[i], 12) == got[i]);
  }
}

}  // namespace
}  // namespace lk
