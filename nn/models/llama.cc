// Llama (Touvron et al. 2023): pre-norm blocks of rotary grouped-query attention and SwiGLU.
//   x = x + O attention(rope(Q n(x)), rope(K n(x)), V n(x))
//   x = x + W_down (silu(W_gate n(x)) * W_up n(x))         n = RMSNorm
#include <cmath>

#include "nn/models/models.h"
#include "nn/norm.h"
#include "nn/rope.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct LlamaLayer {
  RmsNorm input_layernorm, post_attention_layernorm;
  Linear q, k, v, o, gate, up, down;
};

class Llama : public Model {
 public:
  Llama(const Config& c, Task task) {
    check_supported(c);
    info_.architecture =
        task == Task::classification ? "LlamaForSequenceClassification" : "LlamaForCausalLM";
    info_.model_type = "llama";
    info_.vocab_size = c.integer("vocab_size", 1, kMost);
    info_.hidden_size = c.integer("hidden_size", 1, kMost);
    info_.layers = c.integer("num_hidden_layers", 1, 1024);
    info_.heads = c.integer("num_attention_heads", 1, 1024);
    info_.kv_heads = c.integer("num_key_value_heads", 1, info_.heads, info_.heads);
    require(info_.heads % info_.kv_heads == 0,
            "{}: num_attention_heads {} is no multiple of num_key_value_heads {}", c.file(),
            info_.heads, info_.kv_heads);
    require(c.has("head_dim") || info_.hidden_size % info_.heads == 0,
            "{}: hidden_size {} is no multiple of num_attention_heads {}", c.file(),
            info_.hidden_size, info_.heads);
    info_.head_dim = c.integer("head_dim", 2, 4096, info_.hidden_size / info_.heads);
    require(info_.head_dim % 2 == 0, "{}: head_dim {} is odd; rotary embedding needs pairs",
            c.file(), info_.head_dim);
    info_.max_positions = c.integer("max_position_embeddings", 1, 1 << 30, 2048);
    set_common(info_, c, task);
    const int64_t ffn = c.integer("intermediate_size", 1, kMost);
    const auto eps = static_cast<float>(c.number("rms_norm_eps", 0, 1, 1e-6));
    const bool attention_bias = c.boolean("attention_bias", false),
               mlp_bias = c.boolean("mlp_bias", false);
    const int64_t d = info_.hidden_size, q_dim = info_.heads * info_.head_dim,
                  kv_dim = info_.kv_heads * info_.head_dim;
    rope_ = make_rope(c, info_.head_dim);
    tied_ = c.boolean("tie_word_embeddings", false);
    dropout_ = static_cast<float>(c.number("attention_dropout", 0, 0.99, 0.0));

    embed_tokens_ = Embedding("model.embed_tokens", info_.vocab_size, d);
    for (int i = 0; i < info_.layers; ++i) {
      const std::string p = "model.layers." + std::to_string(i) + ".";
      LlamaLayer& l = layers_.emplace_back();
      l.input_layernorm = RmsNorm(p + "input_layernorm", d, eps);
      l.q = Linear(p + "self_attn.q_proj", Role::q, i, d, q_dim, attention_bias);
      l.k = Linear(p + "self_attn.k_proj", Role::k, i, d, kv_dim, attention_bias);
      l.v = Linear(p + "self_attn.v_proj", Role::v, i, d, kv_dim, attention_bias);
      l.o = Linear(p + "self_attn.o_proj", Role::o, i, q_dim, d, attention_bias);
      l.post_attention_layernorm = RmsNorm(p + "post_attention_layernorm", d, eps);
      l.gate = Linear(p + "mlp.gate_proj", Role::gate, i, d, ffn, mlp_bias);
      l.up = Linear(p + "mlp.up_proj", Role::up, i, d, ffn, mlp_bias);
      l.down = Linear(p + "mlp.down_proj", Role::down, i, ffn, d, mlp_bias);
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
    // Shared, since a checkpointed block runs again in the backward pass, when `in` is gone.
    const auto packing = std::make_shared<const Packing>(in.packing);
    for (size_t i = 0; i < layers_.size(); ++i)
      x = run_block([this, i, packing,
                     cache = in.cache](const Var& h) { return block(i, h, *packing, cache); },
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
    for (LlamaLayer& l : layers_) {
      for (Linear* linear : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) linear->visit(f);
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
    for (LlamaLayer& l : layers_)
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
  static void check_supported(const Config& c) {
    const std::string act = c.string("hidden_act", "silu");
    require(act == "silu", "{}: hidden_act '{}' is not supported for llama (supported: silu)",
            c.file(), act);
    require(!c.has("sliding_window"), "{}: sliding_window is not supported for llama", c.file());
  }

  Var block(size_t i, const Var& x, const Packing& packing, KvCache* cache) {
    const LlamaLayer& l = layers_[i];
    const Block& hooks = blocks_[i];
    const Var n = l.input_layernorm(x);
    const auto rope = [&](const Var& t) {
      return rotary(t, packing.positions, rope_.inv_freq, info_.head_dim, rope_.attention_factor);
    };
    const AttentionOptions options{.heads = info_.heads,
                                   .kv_heads = info_.kv_heads,
                                   .scale = 1.0f / std::sqrt(static_cast<float>(info_.head_dim)),
                                   .dropout = training ? dropout_ : 0.0f};
    const AttentionContext context{packing.offsets, cache, static_cast<int64_t>(i)};
    const Var a = l.o(attend(rope(l.q(n)), rope(l.k(n)), l.v(n), context, options, hooks.kv.get()));
    const Var y = add(x, run_adapters(hooks.attn_out, a, n));
    const Var m = l.post_attention_layernorm(y);
    return add(y, run_adapters(hooks.ffn_out, l.down(swiglu(l.gate(m), l.up(m))), m));
  }

  Embedding embed_tokens_;
  std::vector<LlamaLayer> layers_;
  RmsNorm norm_;
  Linear lm_head_, score_;
  Rope rope_;
  Task task_;
  bool tied_;
  float dropout_;
};

}  // namespace

std::unique_ptr<Model> make_llama(const Config& config, Task task) {
  return std::make_unique<Llama>(config, task);
}

}  // namespace lk
