// GPT-2 (Radford et al. 2019): pre-norm blocks with learnt positions; its linear layers store W
// transposed.
//   x = x + O attention(split(W_qkv ln_1(x)))
//   x = x + W_proj gelu(W_fc ln_2(x))
#include <cmath>

#include "nn/config_fields.h"
#include "nn/models/models.h"
#include "nn/norm.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct Gpt2Layer {
  LayerNorm ln_1, ln_2;
  Linear c_attn, attn_proj, c_fc, mlp_proj;
};

class Gpt2 : public Model {
 public:
  Gpt2(const Config& c, Task task) {
    require_decoder_task(c, task, "gpt2");
    info_.architecture =
        task == Task::classification ? "GPT2ForSequenceClassification" : "GPT2LMHeadModel";
    info_.model_type = "gpt2";
    info_.vocab_size = c.integer("vocab_size", 1, kMost, 50257);
    info_.hidden_size = c.integer("n_embd", 1, kMost, 768);
    info_.layers = c.integer("n_layer", 1, 1024, 12);
    info_.heads = info_.kv_heads = c.integer("n_head", 1, 1024, 12);
    require(info_.hidden_size % info_.heads == 0, "{}: n_embd {} is no multiple of n_head {}",
            c.file(), info_.hidden_size, info_.heads);
    info_.head_dim = info_.hidden_size / info_.heads;
    info_.max_positions = c.integer("n_positions", 1, 1 << 30, 1024);
    set_common(info_, c, task);
    check_supported(c);
    const int64_t d = info_.hidden_size, ffn = c.integer("n_inner", 1, kMost, 4 * d);
    const auto eps = static_cast<float>(c.number("layer_norm_epsilon", 0, 1, 1e-5));
    exact_gelu_ = c.string("activation_function", "gelu_new") == "gelu";
    embd_pdrop_ = static_cast<float>(c.number("embd_pdrop", 0, 0.99, 0.1));
    attn_pdrop_ = static_cast<float>(c.number("attn_pdrop", 0, 0.99, 0.1));
    resid_pdrop_ = static_cast<float>(c.number("resid_pdrop", 0, 0.99, 0.1));
    tied_ = c.boolean("tie_word_embeddings", true);

    wte_ = Embedding("transformer.wte", info_.vocab_size, d);
    wpe_ = Embedding("transformer.wpe", info_.max_positions, d);
    for (int i = 0; i < info_.layers; ++i) {
      const std::string p = "transformer.h." + std::to_string(i) + ".";
      Gpt2Layer& l = layers_.emplace_back();
      l.ln_1 = LayerNorm(p + "ln_1", d, eps);
      l.c_attn = Linear(p + "attn.c_attn", Role::qkv, i, d, 3 * d, true, true);
      l.attn_proj = Linear(p + "attn.c_proj", Role::o, i, d, d, true, true);
      l.ln_2 = LayerNorm(p + "ln_2", d, eps);
      l.c_fc = Linear(p + "mlp.c_fc", Role::up, i, d, ffn, true, true);
      l.mlp_proj = Linear(p + "mlp.c_proj", Role::down, i, ffn, d, true, true);
    }
    ln_f_ = LayerNorm("transformer.ln_f", d, eps);
    if (task == Task::classification)
      score_ = Linear("score", Role::head, -1, d, info_.labels, false);
    else if (!tied_)
      lm_head_ = Linear("lm_head", Role::head, -1, d, info_.vocab_size, false);
    task_ = task;
    blocks_.resize(layers_.size());
  }

  Var hidden(ModelInput& in) override {
    Var x = run_input_adapters(wte_(in.ids, compute_), in);
    x = dropout(add(x, wpe_(in.packing.positions, compute_)), training ? embd_pdrop_ : 0.0f);
    x = run_embedded_adapters(x, in.packing);
    // Shared, since a checkpointed block runs again in the backward pass, when `in` is gone.
    const auto packing = std::make_shared<const Packing>(in.packing);
    for (size_t i = 0; i < layers_.size(); ++i)
      x = run_block([this, i, packing,
                     cache = in.cache](const Var& h) { return block(i, h, *packing, cache); },
                    x);
    return ln_f_(x);
  }
  Var lm_loss(const Var& h, std::span<const int32_t> labels) override {
    return tied_ ? linear_cross_entropy(h, wte_.weight.var, {}, labels)
                 : head_loss(lm_head_, h, labels);
  }
  Var lm_logits(const Var& h) override { return tied_ ? linear(h, wte_.weight.var) : lm_head_(h); }
  Var class_logits(const Var& h, const Packing& packing) override {
    return score_(gather_rows(h, last_rows(packing)));
  }

  void visit_parameters(const ParameterVisitor& f) override {
    wte_.visit(f);
    wpe_.visit(f);
    for (Gpt2Layer& l : layers_) {
      l.ln_1.visit(f);
      l.c_attn.visit(f);
      l.attn_proj.visit(f);
      l.ln_2.visit(f);
      l.c_fc.visit(f);
      l.mlp_proj.visit(f);
    }
    ln_f_.visit(f);
    if (task_ == Task::classification)
      score_.visit(f);
    else if (!tied_)
      lm_head_.visit(f);
  }
  void visit_linears(const std::function<void(Linear&)>& f) override {
    for (Gpt2Layer& l : layers_)
      for (Linear* linear : {&l.c_attn, &l.attn_proj, &l.c_fc, &l.mlp_proj}) f(*linear);
    if (task_ == Task::classification)
      f(score_);
    else if (!tied_)
      f(lm_head_);
  }
  void visit_embeddings(const std::function<void(Embedding&)>& f) override { f(wte_), f(wpe_); }
  std::vector<std::string> head_modules() const override {
    return task_ == Task::classification ? std::vector<std::string>{"score"}
                                         : std::vector<std::string>{};
  }

 private:
  // What transformers' GPT2Config knows (4.57).
  static void check_supported(const Config& c) {
    static const ConfigFields fields{
        .read = {"vocab_size", "n_embd", "n_layer", "n_head", "n_positions", "n_inner",
                 "layer_norm_epsilon", "embd_pdrop", "attn_pdrop", "resid_pdrop",
                 "tie_word_embeddings"},
        .only = {{"activation_function", R"(["gelu_new", "gelu_pytorch_tanh", "gelu"])"},
                 {"scale_attn_weights", "[true]"},
                 {"scale_attn_by_inverse_layer_idx", "[false]"},
                 {"is_encoder_decoder", "[false]"}},
        // reorder_and_upcast_attn: the same product in f32, as it is here; summary_*: of a head for
        // multiple choice; n_ctx: n_positions again.
        .neutral = {"reorder_and_upcast_attn", "summary_type", "summary_use_proj",
                    "summary_activation", "summary_proj_to_labels", "summary_first_dropout",
                    "predict_special_tokens", "n_ctx"}};
    check_fields(c, "gpt2", fields);
  }

  Var block(size_t i, const Var& x, const Packing& packing, KvCache* cache) {
    const Gpt2Layer& l = layers_[i];
    const Block& hooks = blocks_[i];
    const int64_t d = info_.hidden_size;
    const std::span<const int32_t> at(packing.offsets);
    const Var n = l.ln_1(x);
    const std::vector<Var> qkv = split_columns(l.c_attn(n, at), {d, d, d});
    const AttentionOptions options{.heads = info_.heads,
                                   .kv_heads = info_.heads,
                                   .scale = 1.0f / std::sqrt(static_cast<float>(info_.head_dim)),
                                   .dropout = training ? attn_pdrop_ : 0.0f};
    const AttentionContext context{at, cache, static_cast<int64_t>(i)};
    const float p = training ? resid_pdrop_ : 0.0f;
    const Var c = attend(qkv[0], qkv[1], qkv[2], context, options, hooks.kv.get(), n);
    const Var a = dropout(l.attn_proj(c, at), p);
    const auto [y, m] = l.ln_2.of_sum(x, run_adapters(hooks.attn_out, a, {n, x, at}));
    const Var up = exact_gelu_ ? gelu(l.c_fc(m, at)) : l.c_fc.with_gelu_tanh(m, at);
    const Var f = dropout(l.mlp_proj(up, at), p);
    return add(y, run_adapters(hooks.ffn_out, f, {m, y, at}));
  }

  Embedding wte_, wpe_;
  std::vector<Gpt2Layer> layers_;
  LayerNorm ln_f_;
  Linear lm_head_, score_;
  Task task_;
  bool tied_, exact_gelu_;
  float embd_pdrop_, attn_pdrop_, resid_pdrop_;
};

}  // namespace

std::unique_ptr<Model> make_gpt2(const Config& config, Task task) {
  return std::make_unique<Gpt2>(config, task);
}

}  // namespace lk
