// T5: Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer (Raffel et
// al. 2020, arXiv:1910.10683); v1.1 and Flan have a gated GELU (Shazeer 2020, arXiv:2002.05202) and
// an output matrix of their own.
//   encoder  x = x + O attention(Q n(x), K n(x), V n(x)) + bias by distance
//            x = x + W_o act(W_i n(x))        or W_o (gelu(W_0 n(x)) * W_1 n(x))
//   decoder  the same, causal, and between the two
//            x = x + O attention(Q n(x), K e, V e)        e: what the encoder made of the source
//   logits   E n(x) / sqrt(d) where E is the embedding too, W n(x) else        n = RMSNorm
// Attention has no scale: the initial values take its place.
#include <cmath>
#include <numeric>

#include "nn/config_fields.h"
#include "nn/models/models.h"
#include "nn/norm.h"
#include "nn/relative_bias.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct T5Attention {
  RmsNorm norm;
  Linear q, k, v, o;
};

struct T5Block {
  T5Attention self, cross;  // cross: in the decoder
  RmsNorm ffn_norm;
  Linear gate, up, down;  // gate: where the activation is gated
};

class T5 : public Model {
 public:
  T5(const Config& c, Task task) {
    check_supported(c);
    require(task == Task::causal_lm,
            "{}: t5 is supported as a text-to-text model; it needs data of input and output",
            c.file());
    info_.architecture = "T5ForConditionalGeneration";
    info_.model_type = "t5";
    info_.vocab_size = c.integer("vocab_size", 1, kMost);
    info_.hidden_size = c.integer("d_model", 1, kMost);
    info_.encoder_layers = c.integer("num_layers", 1, 1024);
    info_.layers = c.integer("num_decoder_layers", 1, 1024, info_.encoder_layers);
    info_.heads = info_.kv_heads = c.integer("num_heads", 1, 1024);
    info_.head_dim = c.integer("d_kv", 1, 4096);
    info_.max_positions = kMost;  // distances have no end
    set_common(info_, c, task);
    info_.pad_id = static_cast<int32_t>(c.integer("pad_token_id", 0, info_.vocab_size - 1, 0));
    info_.decoder_start_id = static_cast<int32_t>(
        c.integer("decoder_start_token_id", 0, info_.vocab_size - 1, info_.pad_id));
    if (!c.has("eos_token_id")) info_.eos_ids = {1};
    const std::string act = c.string("feed_forward_proj", "relu");
    gated_ = act != "relu";
    tied_ = c.boolean("tie_word_embeddings", true);
    dropout_ = static_cast<float>(c.number("dropout_rate", 0, 0.99, 0.1));

    shared_ = Embedding("shared", info_.vocab_size, info_.hidden_size);
    build(c, encoder_, "encoder", info_.encoder_layers, false);
    build(c, decoder_, "decoder", info_.layers, true);
    if (!tied_)
      lm_head_ = Linear("lm_head", Role::head, -1, info_.hidden_size, info_.vocab_size, false);
    blocks_.resize(static_cast<size_t>(info_.encoder_layers + info_.layers));
  }

  Var hidden(ModelInput& in) override {
    const bool encoded = in.cache && in.cache->has_source();
    const Var memory = encoded ? Var() : encode(in);
    const bool begins = !in.cache || in.cache->empty();
    static const std::vector<std::shared_ptr<InputAdapter>> none;
    Var x = run_input_adapters(drop(shared_(in.ids, compute_)), in.packing,
                               begins ? target_input_adapters_ : none);
    const auto packing = std::make_shared<const Packing>(in.packing),
               source = std::make_shared<const Packing>(in.source);
    for (size_t i = 0; i < decoder_.blocks.size(); ++i) {
      // The view gathers what the block's keys and values say of the encoder, so that blocks add up
      // in one order with checkpoints and without.
      const auto run = [this, i, packing, source, cache = in.cache](const Var& h, const Var& e) {
        return decoder_block(i, h, e.defined() ? view(e, e.shape()) : e, *packing, *source, cache);
      };
      x = gradient_checkpointing && memory.defined() ? checkpointed(run, x, memory)
                                                     : run(x, memory);
    }
    return drop(decoder_.norm(x));
  }
  Var lm_loss(const Var& h, std::span<const int32_t> labels) override {
    return tied_ ? linear_cross_entropy(scaled(h), shared_.weight.var, {}, labels)
                 : head_loss(lm_head_, h, labels);
  }
  Var lm_logits(const Var& h) override {
    return tied_ ? linear(scaled(h), shared_.weight.var) : lm_head_(h);
  }
  Var class_logits(const Var&, const Packing&) override {
    fail("{} has no classification head", info_.architecture);
  }

  void visit_parameters(const ParameterVisitor& f) override {
    shared_.visit(f);
    for (Stack* stack : {&encoder_, &decoder_}) {
      for (size_t i = 0; i < stack->blocks.size(); ++i) {
        T5Block& b = stack->blocks[i];
        for (Linear* linear : attention_linears(b.self)) linear->visit(f);
        if (i == 0) f(stack->positions.weight);
        b.self.norm.visit(f);
        if (stack == &decoder_) {
          for (Linear* linear : attention_linears(b.cross)) linear->visit(f);
          b.cross.norm.visit(f);
        }
        for (Linear* linear : ffn_linears(b)) linear->visit(f);
        b.ffn_norm.visit(f);
      }
      stack->norm.visit(f);
    }
    if (!tied_) lm_head_.visit(f);
  }
  void visit_linears(const std::function<void(Linear&)>& f) override {
    for (Stack* stack : {&encoder_, &decoder_})
      for (T5Block& b : stack->blocks) {
        for (Linear* linear : attention_linears(b.self)) f(*linear);
        if (stack == &decoder_)
          for (Linear* linear : attention_linears(b.cross)) f(*linear);
        for (Linear* linear : ffn_linears(b)) f(*linear);
      }
    if (!tied_) f(lm_head_);
  }
  void visit_embeddings(const std::function<void(Embedding&)>& f) override { f(shared_); }
  std::vector<std::string> head_modules() const override { return {}; }

 private:
  struct Stack {
    std::vector<T5Block> blocks;
    RelativePositions positions;  // in the first block's file, used by all
    RmsNorm norm;
  };

  // What transformers' T5Config knows (4.57).
  static void check_supported(const Config& c) {
    static const ConfigFields fields{
        .read = {"vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers",
                 "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance",
                 "dropout_rate", "layer_norm_epsilon", "feed_forward_proj", "tie_word_embeddings",
                 "decoder_start_token_id"},
        .only = {{"feed_forward_proj", R"(["relu", "gated-gelu"])"},
                 {"is_encoder_decoder", "[true]"}},
        // dense_act_fn and is_gated_act follow from feed_forward_proj; classifier_dropout: of a
        // head that is not here; n_positions: of no effect, distances have no end.
        .neutral = {"dense_act_fn", "is_gated_act", "classifier_dropout", "n_positions"}};
    check_fields(c, "t5", fields);
  }

  void build(const Config& c, Stack& stack, const std::string& name, int64_t layers, bool decoder) {
    const int64_t d = info_.hidden_size, inner = info_.heads * info_.head_dim,
                  ffn = c.integer("d_ff", 1, kMost);
    const auto eps = static_cast<float>(c.number("layer_norm_epsilon", 0, 1, 1e-6));
    const auto first = static_cast<int>(decoder ? info_.encoder_layers : 0);
    for (int i = 0; i < layers; ++i) {
      const std::string p = name + ".block." + std::to_string(i) + ".layer.";
      T5Block& b = stack.blocks.emplace_back();
      const auto attention = [&](T5Attention& a, const std::string& layer,
                                 const std::string& module) {
        const std::string m = layer + "." + module + ".";
        a.norm = RmsNorm(layer + ".layer_norm", d, eps);
        a.q = Linear(m + "q", Role::q, first + i, d, inner, false);
        a.k = Linear(m + "k", Role::k, first + i, d, inner, false);
        a.v = Linear(m + "v", Role::v, first + i, d, inner, false);
        a.o = Linear(m + "o", Role::o, first + i, inner, d, false);
      };
      attention(b.self, p + "0", "SelfAttention");
      if (decoder) attention(b.cross, p + "1", "EncDecAttention");
      const std::string f = p + (decoder ? "2" : "1"), dense = f + ".DenseReluDense.";
      b.ffn_norm = RmsNorm(f + ".layer_norm", d, eps);
      if (gated_) b.gate = Linear(dense + "wi_0", Role::gate, first + i, d, ffn, false);
      b.up = Linear(dense + (gated_ ? "wi_1" : "wi"), Role::up, first + i, d, ffn, false);
      b.down = Linear(dense + "wo", Role::down, first + i, ffn, d, false);
    }
    const int64_t buckets = c.integer("relative_attention_num_buckets", 4, 1 << 16, 32);
    const int64_t farthest = c.integer("relative_attention_max_distance", buckets, 1 << 24, 128);
    stack.positions =
        RelativePositions(name + ".block.0.layer.0.SelfAttention.relative_attention_bias", buckets,
                          info_.heads, farthest, !decoder);
    stack.norm = RmsNorm(name + ".final_layer_norm", d, eps);
  }

  static std::vector<Linear*> attention_linears(T5Attention& a) { return {&a.q, &a.k, &a.v, &a.o}; }
  std::vector<Linear*> ffn_linears(T5Block& b) const {
    return gated_ ? std::vector<Linear*>{&b.gate, &b.up, &b.down}
                  : std::vector<Linear*>{&b.up, &b.down};
  }

  Var drop(const Var& x) const { return dropout(x, training ? dropout_ : 0.0f); }
  Var scaled(const Var& h) const {
    return scale(h, 1.0f / std::sqrt(static_cast<float>(info_.hidden_size)));
  }
  AttentionOptions options(bool causal) const {
    return {.heads = info_.heads,
            .kv_heads = info_.heads,
            .scale = 1.0f,
            .causal = causal,
            .dropout = training ? dropout_ : 0.0f};
  }

  Var encode(ModelInput& in) {
    require(in.source.tokens() > 0, "t5: there is no text for the encoder to read");
    Var x = run_input_adapters(drop(shared_(in.source_ids, compute_)), in.source, input_adapters_);
    x = run_embedded_adapters(x, in.source);
    const auto packing = std::make_shared<const Packing>(in.source);
    for (size_t i = 0; i < encoder_.blocks.size(); ++i)
      x = run_block([this, i, packing](const Var& h) { return encoder_block(i, h, *packing); }, x);
    return drop(encoder_.norm(x));
  }

  // With the norm that the next sublayer begins with.
  NormedSum self_attention(const Stack& stack, const T5Block& b, const Block& hooks, const Var& x,
                           const Packing& packing, KvCache* cache, int64_t layer,
                           const RmsNorm& next) const {
    const std::span<const int32_t> at(packing.offsets);
    const Var n = b.self.norm(x);
    const RelativeBias bias = stack.positions(packing);
    const AttentionContext context{at, cache, layer, &bias};
    const Var c = attend(b.self.q(n, at), b.self.k(n, at), b.self.v(n, at), context,
                         options(&stack == &decoder_), hooks.kv.get(), n);
    return next.of_sum(x, run_adapters(hooks.attn_out, drop(b.self.o(c, at)), {n, x, at}));
  }

  Var feed_forward(const T5Block& b, const Block& hooks, const NormedSum& in,
                   const Packing& packing) const {
    const std::span<const int32_t> at(packing.offsets);
    const auto& [x, n] = in;
    const Var inner = gated_ ? mul(b.gate.with_gelu_tanh(n, at), b.up(n, at)) : relu(b.up(n, at));
    return add(x, run_adapters(hooks.ffn_out, drop(b.down(drop(inner), at)), {n, x, at}));
  }

  Var encoder_block(size_t i, const Var& x, const Packing& packing) {
    const T5Block& b = encoder_.blocks[i];
    const Block& hooks = blocks_[i];
    return feed_forward(
        b, hooks, self_attention(encoder_, b, hooks, x, packing, nullptr, 0, b.ffn_norm), packing);
  }

  // memory: undefined once the cache holds what this layer makes of it.
  Var decoder_block(size_t i, const Var& x, const Var& memory, const Packing& packing,
                    const Packing& source, KvCache* cache) {
    const T5Block& b = decoder_.blocks[i];
    const Block& hooks = blocks_[encoder_.blocks.size() + i];
    const auto layer = static_cast<int64_t>(i);
    const auto [y, n] = self_attention(decoder_, b, hooks, x, packing, cache, layer, b.cross.norm);
    const std::span<const int32_t> at(packing.offsets), from(source.offsets);
    const auto keys_and_values = [&] {
      return std::pair(b.cross.k(memory, from), b.cross.v(memory, from));
    };
    const Var c = attend_source(b.cross.q(n, at), keys_and_values, {at, from, cache, layer},
                                options(false), hooks.cross_kv.get(), n);
    const Var a = run_adapters(hooks.cross_out, drop(b.cross.o(c, at)), {n, y, at});
    return feed_forward(b, hooks, b.ffn_norm.of_sum(y, a), packing);
  }

  // What the encoder made goes in beside x, so that its gradient comes out of the checkpoint.
  static Var checkpointed(const std::function<Var(const Var&, const Var&)>& block, const Var& x,
                          const Var& memory) {
    std::vector<int32_t> rows(static_cast<size_t>(x.dim(0) + memory.dim(0)));
    std::iota(rows.begin(), rows.end(), 0);
    const auto middle = static_cast<size_t>(x.dim(0));
    return checkpoint(
        [block, rows, middle](const Var& both) {
          const std::span<const int32_t> all(rows);
          return block(gather_rows(both, all.first(middle)),
                       gather_rows(both, all.subspan(middle)));
        },
        concat_rows({x, memory}));
  }

  Embedding shared_;
  Stack encoder_, decoder_;
  Linear lm_head_;
  bool tied_, gated_;
  float dropout_;
};

}  // namespace

std::unique_ptr<Model> make_t5(const Config& config, Task task) {
  return std::make_unique<T5>(config, task);
}

}  // namespace lk
