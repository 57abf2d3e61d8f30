// KvAdapter: keys and values in front of a text, in a pass and in a cache.
#include <doctest/doctest.h>

#include "nn/generate.h"
#include "tests/nn/hooks/parts.h"
#include "tests/oracle.h"

namespace lk {
namespace {

using namespace test;

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
  const Packed batch = pack({tokens});
  ModelInput in = batch.input();
  in.cache = &cache;
  model.hidden(in);
  std::vector<std::shared_ptr<Prefix>> out;
  for (int64_t l = 0; l < model.info().layers; ++l) {
    const auto [k, v] = cache.contents(0, l);
    out.push_back(std::make_shared<Prefix>());
    out.back()->k.var = k.clone();
    out.back()->v.var = v.clone();
  }
  return out;
}

void plug(Model& model, const std::vector<std::shared_ptr<Prefix>>& prefix) {
  for (size_t l = 0; l < prefix.size(); ++l) model.blocks()[l].kv = prefix[l];
}

TEST_CASE("KvAdapter: the keys and values of real tokens act as those tokens in front") {
  const std::vector<int32_t> front{3, 17, 8, 21};
  const auto p = static_cast<int32_t>(front.size());
  const Documents documents = random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f64);
    const Packed whole = pack(with_front(front, documents)), rest = pack(documents, p);
    const Tensor expected = rows_after(hidden_of(*model, whole), whole, p);
    plug(*model, prefix_of(*model, front));
    CHECK(max_difference(hidden_of(*model, rest), expected) <= 1e-12);
    // With positions moved by an input adapter: what HF PEFT does.
    const auto later = std::make_shared<Later>();
    later->by = p;
    model->input_adapters() = {later};
    CHECK(max_difference(hidden_of(*model, pack(documents)), expected) <= 1e-12);
    // bf16 activations beside a prefix in f32.
    auto half = tiny_model(type, DType::bf16);
    plug(*half, prefix_of(*half, front));
    const Tensor direct = hidden_of(*half, rest);
    for (Block& b : half->blocks()) {
      auto& prefix = static_cast<Prefix&>(*b.kv);
      prefix.k.var = prefix.k.var.value().to(DType::f32);
      prefix.v.var = prefix.v.var.value().to(DType::f32);
    }
    CHECK(same_bits(hidden_of(*half, rest), direct));
  }
  // An encoder's front reads the text too, so each document has its own: the neighbours see it as
  // well, but only the one it was made with is comparable.
  auto bert = tiny_model("bert", DType::f64);
  for (size_t d = 0; d < documents.size(); ++d) {
    const Packed whole = pack(with_front(front, {documents[d]})), rest = pack(documents, p);
    std::vector<std::shared_ptr<Tap>> taps;
    for (int layer = 0; layer < 2; ++layer)
      for (const Role role : {Role::k, Role::v}) {
        taps.push_back(std::make_shared<Tap>());
        linear_of(*bert, layer, {role}).adapters() = {taps.back()};
      }
    const Tensor expected = rows_after(hidden_of(*bert, whole), whole, p);
    for (int layer = 0; layer < 2; ++layer) {
      const auto prefix = std::make_shared<Prefix>();
      prefix->k.var = taps[static_cast<size_t>(2 * layer)]->y.rows(0, p).clone();
      prefix->v.var = taps[static_cast<size_t>(2 * layer + 1)]->y.rows(0, p).clone();
      bert->blocks()[static_cast<size_t>(layer)].kv = prefix;
    }
    for (Linear* l : linears(*bert)) l->adapters().clear();
    const Tensor h = hidden_of(*bert, rest);
    CHECK(max_difference(h.rows(rest.packing.offsets[d], rest.packing.offsets[d + 1]), expected) <=
          1e-12);
    for (Block& b : bert->blocks()) b.kv = nullptr;
  }
  auto gpt2 = tiny_model("gpt2", DType::f32);
  auto wrong = std::make_shared<Prefix>();
  wrong->k.var = wrong->v.var = Tensor::zeros({2, 8}, DType::f32);
  gpt2->blocks()[1].kv = wrong;
  CHECK(error_of([&] { hidden_of(*gpt2, pack(documents)); }).find("keys [2, 8]") !=
        std::string::npos);
}

TEST_CASE("KvAdapter: generation sees the prefix, in every document") {
  const std::vector<int32_t> front{3, 17, 8, 21};
  const Documents prompts = random_documents({5, 1, 9}, 2);
  for (const char* type : {"gpt2", "llama"}) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f32);
    GenerateOptions options;
    options.max_new_tokens = 12;
    const Documents expected = generate(*model, with_front(front, prompts), options),
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
  const Documents documents = random_documents({5, 1, 9}, 3);
  for (const std::string& type : tiny_types()) {
    CAPTURE(type);
    auto model = tiny_model(type, DType::f32);
    std::vector<std::shared_ptr<OwnPrefix>> prefixes;
    for (Block& b : model->blocks()) {
      const auto own = std::make_shared<OwnPrefix>();
      own->length = 2;
      own->k = parameter({6, kv_dim(*model)}, DType::f32, 40 + prefixes.size(), 1.0);
      own->v = parameter({6, kv_dim(*model)}, DType::f32, 60 + prefixes.size(), 1.0);
      b.kv = own;
      prefixes.push_back(own);
    }
    const Packed all = pack(documents);
    const Tensor together = hidden_of(*model, all);
    GenerateOptions options;
    options.max_new_tokens = 8;
    const Documents answers =
        model->info().causal ? generate(*model, documents, options) : Documents{};
    for (size_t d = 0; d < documents.size(); ++d) {
      for (const auto& own : prefixes) own->first = static_cast<int64_t>(d);
      const Tensor alone = hidden_of(*model, pack({documents[d]}));
      CHECK(max_difference(together.rows(all.packing.offsets[d], all.packing.offsets[d + 1]),
                           alone) <= 1e-5);
      if (model->info().causal) CHECK(generate(*model, {documents[d]}, options)[0] == answers[d]);
    }
  }
}

}  // namespace
}  // namespace lk
