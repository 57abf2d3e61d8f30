#include "nn/models/decoder.h"

#include <algorithm>
#include <cmath>

#include "nn/models/models.h"
#include "nn/norm.h"
#include "nn/rope.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct DecoderLayer {
  RmsNorm input_layernorm, post_attention_layernorm, q_norm, k_norm;
  Linear q, k, v, o, gate, up, down;
  int64_t window = 0;
};

class Decoder : public Model {
 public:
  Decoder(const Config& c, Task task, const DecoderSpec& spec) {
    require_decoder_task(c, task, spec.family);
    info_.architecture =
        spec.family + (task == Task::classification ? "ForSequenceClassification" : "ForCausalLM");
    info_.model_type = c.string("model_type", "");
    info_.vocab_size = c.integer("vocab_size", 1, kMost);
    info_.hidden_size = c.integer("hidden_size", 1, kMost);
    info_.layers = c.integer("num_hidden_layers", 1, 1024);
    info_.heads = c.integer("num_attention_heads", 1, 1024);
    info_.kv_heads = c.integer("num_key_value_heads", 1, info_.heads, info_.heads);
    require(info_.heads % info_.kv_heads == 0,
            "{}: num_attention_heads {} is no multiple of num_key_value_heads {}", c.file(),
            info_.heads, info_.kv_heads);
    const bool own_head_dim = c.has("head_dim") || spec.head_dim > 0;
    require(own_head_dim || info_.hidden_size % info_.heads == 0,
            "{}: hidden_size {} is no multiple of num_attention_heads {}", c.file(),
            info_.hidden_size, info_.heads);
    info_.head_dim = c.integer("head_dim", 2, 4096,
                               spec.head_dim > 0 ? spec.head_dim : info_.hidden_size / info_.heads);
    require(info_.head_dim % 2 == 0, "{}: head_dim {} is odd; rotary embedding needs pairs",
            c.file(), info_.head_dim);
    rope_ = make_rope(c, info_.head_dim, c.integer("max_position_embeddings", 1, 1 << 30, 2048));
    info_.max_positions = rope_.max_positions;
    set_common(info_, c, task);
    const int64_t ffn = c.integer("intermediate_size", 1, kMost);
    const auto eps = static_cast<float>(c.number("rms_norm_eps", 0, 1, 1e-6));
    const int64_t d = info_.hidden_size, q_dim = info_.heads * info_.head_dim,
                  kv_dim = info_.kv_heads * info_.head_dim;
    tied_ = c.boolean("tie_word_embeddings", false);
    dropout_ = static_cast<float>(c.number("attention_dropout", 0, 0.99, 0.0));
    qk_norm_ = spec.qk_norm;

    embed_tokens_ = Embedding("model.embed_tokens", info_.vocab_size, d);
    for (int i = 0; i < info_.layers; ++i) {
      const std::string p = "model.layers." + std::to_string(i) + ".";
      DecoderLayer& l = layers_.emplace_back();
      l.input_layernorm = RmsNorm(p + "input_layernorm", d, eps);
      l.q = Linear(p + "self_attn.q_proj", Role::q, i, d, q_dim, spec.qkv_bias);
      l.k = Linear(p + "self_attn.k_proj", Role::k, i, d, kv_dim, spec.qkv_bias);
      l.v = Linear(p + "self_attn.v_proj", Role::v, i, d, kv_dim, spec.qkv_bias);
      l.o = Linear(p + "self_attn.o_proj", Role::o, i, q_dim, d, spec.o_bias);
      if (qk_norm_) {
        l.q_norm = RmsNorm(p + "self_attn.q_norm", info_.head_dim, eps);
        l.k_norm = RmsNorm(p + "self_attn.k_norm", info_.head_dim, eps);
      }
      l.post_attention_layernorm = RmsNorm(p + "post_attention_layernorm", d, eps);
      l.gate = Linear(p + "mlp.gate_proj", Role::gate, i, d, ffn, spec.mlp_bias);
      l.up = Linear(p + "mlp.up_proj", Role::up, i, d, ffn, spec.mlp_bias);
      l.down = Linear(p + "mlp.down_proj", Role::down, i, ffn, d, spec.mlp_bias);
      if (!spec.windows.empty()) l.window = spec.windows.at(static_cast<size_t>(i));
    }
    norm_ = RmsNorm("model.norm", d, eps);
    if (task == Task::classification)
      score_ = Linear("score", Role::head, -1, d, info_.labels, false);
    else if (!tied_)
      lm_head_ = Linear("lm_head", Role::head, -1, d, info_.vocab_size, false);
    task_ = task;
    blocks_.resize(layers_.size());
  }

  Var hidden(ModelInput& in) override {
    Var x = run_input_adapters(embed_tokens_(in.ids, compute_), in);
    x = run_embedded_adapters(x, in.packing);
    // Shared, since a checkpointed block runs again in the backward pass, when `in` is gone.
    const auto packing = std::make_shared<const Packing>(in.packing);
    const auto last = std::max_element(packing->positions.begin(), packing->positions.end());
    const RotaryTable angles = make_rotary_table(
        packing->positions, rope_.frequencies(last == packing->positions.end() ? 0 : *last + 1),
        rope_.attention_factor, x.dtype(), x.value().device());
    for (size_t i = 0; i < layers_.size(); ++i)
      x = run_block([this, i, packing, angles, cache = in.cache](
                        const Var& h) { return block(i, h, *packing, angles, cache); },
                    x);
    return norm_(x);
  }
  Var lm_loss(const Var& h, std::span<const int32_t> labels) override {
    return tied_ ? linear_cross_entropy(h, embed_tokens_.weight.var, {}, labels)
                 : head_loss(lm_head_, h, labels);
  }
  Var lm_logits(const Var& h) override {
    return tied_ ? linear(h, embed_tokens_.weight.var) : lm_head_(h);
  }
  // The class is read from each document's last token.
  Var class_logits(const Var& h, const Packing& packing) override {
    return score_(gather_rows(h, last_rows(packing)));
  }

  void visit_parameters(const ParameterVisitor& f) override {
    embed_tokens_.visit(f);
    for (DecoderLayer& l : layers_) {
      for (Linear* linear : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) linear->visit(f);
      if (qk_norm_) {
        l.q_norm.visit(f);
        l.k_norm.visit(f);
      }
      l.input_layernorm.visit(f);
      l.post_attention_layernorm.visit(f);
    }
    norm_.visit(f);
    if (task_ == Task::classification)
      score_.visit(f);
    else if (!tied_)
      lm_head_.visit(f);
  }
  void visit_linears(const std::function<void(Linear&)>& f) override {
    for (DecoderLayer& l : layers_)
      for (Linear* linear : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) f(*linear);
    if (task_ == Task::classification)
      f(score_);
    else if (!tied_)
      f(lm_head_);
  }
  void visit_embeddings(const std::function<void(Embedding&)>& f) override { f(embed_tokens_); }
  std::vector<std::string> head_modules() const override {
    return task_ == Task::classification ? std::vector<std::string>{"score"}
                                         : std::vector<std::string>{};
  }

 private:
  Var block(size_t i, const Var& x, const Packing& packing, const RotaryTable& angles,
            KvCache* cache) {
    const DecoderLayer& l = layers_[i];
    const Block& hooks = blocks_[i];
    const std::span<const int32_t> at(packing.offsets);
    const Var n = l.input_layernorm(x);
    const auto normed = [&](const Var& t, const RmsNorm& norm) { return qk_norm_ ? norm(t) : t; };
    const Var q = normed(l.q(n, at), l.q_norm), k = normed(l.k(n, at), l.k_norm);
    const AttentionOptions options{.heads = info_.heads,
                                   .kv_heads = info_.kv_heads,
                                   .scale = 1.0f / std::sqrt(static_cast<float>(info_.head_dim)),
                                   .window = l.window,
                                   .dropout = training ? dropout_ : 0.0f};
    const AttentionContext context{
        .offsets = at, .cache = cache, .layer = static_cast<int64_t>(i), .rotary = &angles};
    const Var a = l.o(attend(q, k, l.v(n, at), context, options, hooks.kv.get(), n), at);
    const auto [y, m] =
        l.post_attention_layernorm.of_sum(x, run_adapters(hooks.attn_out, a, {n, x, at}));
    const Var f = l.down(swiglu(l.gate(m, at), l.up(m, at)), at);
    return add(y, run_adapters(hooks.ffn_out, f, {m, y, at}));
  }

  Embedding embed_tokens_;
  std::vector<DecoderLayer> layers_;
  RmsNorm norm_;
  Linear lm_head_, score_;
  Rope rope_;
  Task task_;
  bool tied_, qk_norm_;
  float dropout_;
};

}  // namespace

std::unique_ptr<Model> make_decoder(const Config& config, Task task, const DecoderSpec& spec) {
  return std::make_unique<Decoder>(config, task, spec);
}

ConfigFields decoder_fields(const std::vector<std::string>& more) {
  ConfigFields fields{
      .read = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
               "num_key_value_heads", "head_dim", "intermediate_size", "max_position_embeddings",
               "rms_norm_eps", "rope_theta", "rope_scaling", "tie_word_embeddings",
               "attention_dropout"},
      .only = {{"hidden_act", R"(["silu", "swish"])"},
               {"partial_rotary_factor", "[1, 1.0]"},
               {"is_encoder_decoder", "[false]"}},
      .neutral = {"rope_interleaved", "is_llama_config"}};
  fields.read.insert(fields.read.end(), more.begin(), more.end());
  return fields;
}

}  // namespace lk
