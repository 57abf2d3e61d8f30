// Where adapters plug into an encoder-decoder, its cache, and the buckets of its distances.
#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "nn/generate.h"
#include "nn/relative_bias.h"
#include "tests/tiny_models.h"

namespace lk {
namespace {

constexpr int64_t kHidden = 12, kInner = 8;  // d_model; heads * d_kv

std::unique_ptr<Model> tiny_t5(const std::string& more) {
  auto model = make_model(
      Config::parse(R"({"model_type": "t5", "vocab_size": 29, "d_model": 12, "d_kv": 4, "d_ff": 20,
        "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2, "dropout_rate": 0.0,
        "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
        "decoder_start_token_id": 0, "initializer_range": 0.4)" +
                        more + "}",
                    "t5"),
      Task::causal_lm, DType::f64, 5);
  return model;
}

struct Learnt : KvAdapter {
  Var k, v;
  explicit Learnt(uint64_t seed)
      : k(Var::leaf(test::random_tensor({2, kInner}, DType::f64, seed))),
        v(Var::leaf(test::random_tensor({2, kInner}, DType::f64, seed + 1))) {}
  KvPrefix prefix(const Var&, std::span<const int32_t>) override { return {k, v}; }
  void visit(const ParameterVisitor&) override {}
};

struct Front : InputAdapter {
  Var tokens;
  explicit Front(uint64_t seed)
      : tokens(Var::leaf(test::random_tensor({2, kHidden}, DType::f64, seed))) {}
  Var forward(const Var& embedded, Packing& packing) override {
    return put_before(tokens, embedded, packing);
  }
  void visit(const ParameterVisitor&) override {}
};

struct Scaled : BlockAdapter {
  Var row;
  explicit Scaled(uint64_t seed)
      : row(Var::leaf(test::random_tensor({kHidden}, DType::f64, seed))) {}
  Var forward(const Var& h, const Sublayer& at) override { return add(h, mul_row(at.input, row)); }
  void visit(const ParameterVisitor&) override {}
};

// Something at every place, and what it learns.
std::vector<Var> plug_everywhere(Model& model) {
  std::vector<Var> out;
  uint64_t seed = 50;
  const auto block_adapter = [&](std::vector<std::shared_ptr<BlockAdapter>>& place) {
    const auto adapter = std::make_shared<Scaled>(seed += 2);
    place.push_back(adapter);
    out.push_back(adapter->row);
  };
  const auto prefix = [&](std::shared_ptr<KvAdapter>& place) {
    const auto adapter = std::make_shared<Learnt>(seed += 2);
    place = adapter;
    out.push_back(adapter->k);
    out.push_back(adapter->v);
  };
  for (size_t i = 0; i < model.blocks().size(); ++i) {
    Block& block = model.blocks()[i];
    block_adapter(block.attn_out);
    block_adapter(block.ffn_out);
    prefix(block.kv);
    if (static_cast<int64_t>(i) < model.info().encoder_layers) continue;
    block_adapter(block.cross_out);
    prefix(block.cross_kv);
  }
  const auto front = std::make_shared<Front>(seed += 2);
  model.input_adapters() = {front};
  out.push_back(front->tokens);
  return out;
}

struct Pairs {
  test::Packed source = test::pack(test::random_documents({5, 3}, 1)),
               target = test::pack(test::random_documents({4, 6}, 2));
  ModelInput input() const {
    return {target.ids, target.packing, nullptr, source.ids, source.packing};
  }
};

Var loss_of(Model& model, const Pairs& pairs) {
  ModelInput in = pairs.input();
  const Var h = model.hidden(in);
  return model.lm_loss(h, in.packing.labels);
}

TEST_CASE("t5: every place of an adapter gets its gradient, behind checkpoints too") {
  for (const char* more :
       {"", R"(, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false)"})
    for (const bool checkpointing : {false, true}) {
      CAPTURE(more);
      CAPTURE(checkpointing);
      const auto model = tiny_t5(more);
      model->gradient_checkpointing = checkpointing;
      const std::vector<Var> learnt = plug_everywhere(*model);
      CHECK(learnt.size() == 3 * 4 + 3 + 1);
      const Pairs pairs;
      backward(loss_of(*model, pairs));
      const NoGrad no_grad;
      for (size_t i = 0; i < learnt.size(); ++i) {
        CAPTURE(i);
        REQUIRE(learnt[i].grad().defined());
        for (const int64_t at : {int64_t{0}, learnt[i].value().numel() - 1}) {
          double& x = learnt[i].value().data<double>()[at];
          const double before = x, step = 1e-5;
          x = before + step;
          const double up = loss_of(*model, pairs).value().item();
          x = before - step;
          const double down = loss_of(*model, pairs).value().item();
          x = before;
          const double slope = (up - down) / (2 * step);
          CHECK(std::abs(slope - learnt[i].grad().item(at)) <=
                1e-6 * std::max(1.0, std::abs(slope)));
        }
      }
    }
}

TEST_CASE(
    "t5: linear layers are told the documents of what they read, when checkpoints repeat too") {
  struct Told : LinearAdapter {
    int calls = 0;
    Var forward(const Linear&, const Var&, const Inner&) override { fail("not told"); }
    Var forward_documents(const Linear&, const Var& x, std::span<const int32_t> offsets,
                          const Inner& inner) override {
      ++calls;
      REQUIRE(offsets.size() == 3);
      // Source and target have other lengths: 5 + 3 and 4 + 6.
      CHECK(offsets[1] == (x.dim(0) == 8 ? 5 : 4));
      CHECK(offsets[2] == x.dim(0));
      return inner(x);
    }
    void visit(const ParameterVisitor&) override {}
  };
  const auto model = tiny_t5("");
  model->gradient_checkpointing = true;
  model->visit_parameters([](Parameter& p) { p.make_trainable(); });
  const auto told = std::make_shared<Told>();
  int layers = 0;
  model->visit_linears([&](Linear& l) {
    l.adapters() = {told};
    ++layers;
  });
  backward(loss_of(*model, Pairs()));
  CHECK(told->calls == 2 * layers);
}

TEST_CASE("t5: with adapters everywhere the cache gives the text that reading all of it gives") {
  const auto model = tiny_t5("");
  plug_everywhere(*model);
  const test::Documents sources = test::random_documents({5, 3, 8}, 7);
  GenerateOptions options;
  options.max_new_tokens = 9;
  options.eos_ids = {28};
  const auto written = generate(*model, sources, options);
  const NoGrad no_grad;
  for (size_t i = 0; i < sources.size(); ++i) {
    CAPTURE(i);
    std::vector<int32_t> text{0};
    const test::Packed source = test::pack({sources[i]});
    while (text.size() < 10) {
      const test::Packed target = test::pack({text});
      ModelInput in{target.ids, target.packing, nullptr, source.ids, source.packing};
      const Tensor h = model->hidden(in).value();
      Random unused(0);
      const int32_t id =
          choose_token(model->lm_logits(h.rows(h.dim(0) - 1, h.dim(0))).value(), {}, unused);
      if (id == 28) break;
      text.push_back(id);
    }
    CHECK(std::vector<int32_t>(text.begin() + 1, text.end()) == written[i]);
  }
}

TEST_CASE("t5: a pair's result does not depend on its neighbours") {
  const auto model = tiny_t5("");
  const Pairs both;
  const NoGrad no_grad;
  ModelInput in = both.input();
  const Tensor h = model->hidden(in).value();
  const test::Packed source = test::pack({test::random_documents({5, 3}, 1)[1]}),
                     target = test::pack({test::random_documents({4, 6}, 2)[1]});
  ModelInput one{target.ids, target.packing, nullptr, source.ids, source.packing};
  const Tensor alone = model->hidden(one).value();
  double most = 0;
  for (int64_t i = 0; i < alone.numel(); ++i)
    most = std::max(most, std::abs(alone.item(i) - h.rows(4, 10).item(i)));
  CHECK(most <= 1e-12);
}

// transformers' T5Attention._relative_position_bucket.
TEST_CASE("t5: buckets of distances") {
  const std::vector<int64_t> distances{-300, -128, -127, -90, -64, -33, -16, -12, -9,
                                       -8,   -7,   -4,   -3,  -1,  0,   1,   2,   5,
                                       8,    11,   15,   16,  23,  64,  91,  127, 400};
  const auto buckets = [&](bool bidirectional, int64_t count, int64_t farthest) {
    const RelativePositions positions("p", count, 1, farthest, bidirectional);
    std::vector<int32_t> out;
    for (const int64_t d : distances) out.push_back(positions.bucket(d));
    return out;
  };
  using Ids = std::vector<int32_t>;
  CHECK(buckets(true, 32, 128) == Ids{15, 15, 15, 14, 14, 12, 10, 9,  8,  8,  7,  4,  3, 1,
                                      0,  17, 18, 21, 24, 24, 25, 26, 27, 30, 31, 31, 31});
  CHECK(buckets(false, 32, 128) == Ids{31, 31, 31, 29, 26, 21, 16, 12, 9, 8, 7, 4, 3, 1,
                                       0,  0,  0,  0,  0,  0,  0,  0,  0, 0, 0, 0, 0});
  CHECK(buckets(true, 8, 20) ==
        Ids{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 1, 0, 5, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7});
  CHECK(buckets(false, 8, 20) ==
        Ids{7, 7, 7, 7, 7, 7, 7, 6, 6, 5, 5, 4, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

}  // namespace
}  // namespace lk
