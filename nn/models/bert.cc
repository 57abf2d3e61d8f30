// BERT (Devlin et al. 2019): post-norm encoder blocks, here with the sequence-classification head.
//   x = LN(x + O attention(Q x, K x, V x))
//   x = LN(x + W_2 gelu(W_1 x))
//   logits = W_c tanh(W_p x[first token])
#include <cmath>
#include <functional>

#include "nn/models/models.h"
#include "nn/norm.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct BertLayer {
  Linear query, key, value, attention_output, intermediate, output;
  LayerNorm attention_norm, output_norm;
};

class Bert : public Model {
 public:
  Bert(const Config& c, Task task) {
    require(task == Task::classification || task == Task::none,
            "{}: a BERT encoder is not a causal language model; give it a classification data set",
            c.file());
    info_.architecture =
        task == Task::classification ? "BertForSequenceClassification" : "BertModel";
    info_.model_type = "bert";
    info_.causal = false;
    info_.vocab_size = c.integer("vocab_size", 1, kMost);
    info_.hidden_size = c.integer("hidden_size", 1, kMost);
    info_.layers = c.integer("num_hidden_layers", 1, 1024);
    info_.heads = info_.kv_heads = c.integer("num_attention_heads", 1, 1024);
    require(info_.hidden_size % info_.heads == 0,
            "{}: hidden_size {} is no multiple of num_attention_heads {}", c.file(),
            info_.hidden_size, info_.heads);
    info_.head_dim = info_.hidden_size / info_.heads;
    info_.max_positions = c.integer("max_position_embeddings", 1, 1 << 30);
    set_common(info_, c, task);
    check_supported(c);
    const int64_t d = info_.hidden_size, ffn = c.integer("intermediate_size", 1, kMost);
    const auto eps = static_cast<float>(c.number("layer_norm_eps", 0, 1, 1e-12));
    act_ = c.string("hidden_act", "gelu");
    hidden_dropout_ = static_cast<float>(c.number("hidden_dropout_prob", 0, 0.99, 0.1));
    attention_dropout_ = static_cast<float>(c.number("attention_probs_dropout_prob", 0, 0.99, 0.1));
    classifier_dropout_ =
        static_cast<float>(c.number("classifier_dropout", 0, 0.99, hidden_dropout_));

    // A bare encoder's file has no prefix, a classifier's has "bert.": the loader tries both.
    const std::string e = "bert.embeddings.";
    word_ = Embedding(e + "word_embeddings", info_.vocab_size, d);
    position_ = Embedding(e + "position_embeddings", info_.max_positions, d);
    type_ = Embedding(e + "token_type_embeddings", c.integer("type_vocab_size", 1, 1024, 2), d);
    norm_ = LayerNorm(e + "LayerNorm", d, eps);
    for (int i = 0; i < info_.layers; ++i) {
      const std::string p = "bert.encoder.layer." + std::to_string(i) + ".";
      BertLayer& l = layers_.emplace_back();
      l.query = Linear(p + "attention.self.query", Role::q, i, d, d, true);
      l.key = Linear(p + "attention.self.key", Role::k, i, d, d, true);
      l.value = Linear(p + "attention.self.value", Role::v, i, d, d, true);
      l.attention_output = Linear(p + "attention.output.dense", Role::o, i, d, d, true);
      l.attention_norm = LayerNorm(p + "attention.output.LayerNorm", d, eps);
      l.intermediate = Linear(p + "intermediate.dense", Role::up, i, d, ffn, true);
      l.output = Linear(p + "output.dense", Role::down, i, ffn, d, true);
      l.output_norm = LayerNorm(p + "output.LayerNorm", d, eps);
    }
    task_ = task;
    if (task == Task::classification) {
      pooler_ = Linear("bert.pooler.dense", Role::pooler, -1, d, d, true);
      classifier_ = Linear("classifier", Role::head, -1, d, info_.labels, true);
    }
    blocks_.resize(layers_.size());
  }

  Var hidden(ModelInput& in) override {
    invariant(in.cache == nullptr, "an encoder has no key-value cache");
    Packing& packing = in.packing;
    Var x = run_input_adapters(word_(in.ids, compute_), in);
    packing.type_ids.resize(static_cast<size_t>(x.dim(0)), 0);
    x = add(add(x, type_(packing.type_ids, compute_)), position_(packing.positions, compute_));
    x = dropout(norm_(x), training ? hidden_dropout_ : 0.0f);
    x = run_embedded_adapters(x, in);
    // Shared, since a checkpointed block runs again in the backward pass, when `in` is gone.
    const auto shared = std::make_shared<const Packing>(packing);
    for (size_t i = 0; i < layers_.size(); ++i)
      x = run_block([this, i, shared](const Var& h) { return block(i, h, *shared); }, x);
    return x;
  }
  Var lm_loss(const Var&, std::span<const int32_t>) override {
    fail("bert: this model has no causal language-model head");
  }
  Var lm_logits(const Var&) override { fail("bert: this model has no causal language-model head"); }
  Var class_logits(const Var& h, const Packing& packing) override {
    const Var pooled = lk::tanh(pooler_(gather_rows(h, first_rows(packing))));
    return classifier_(dropout(pooled, training ? classifier_dropout_ : 0.0f));
  }

  void visit_parameters(const ParameterVisitor& f) override {
    word_.visit(f);
    position_.visit(f);
    type_.visit(f);
    norm_.visit(f);
    for (BertLayer& l : layers_) {
      for (Linear* linear : {&l.query, &l.key, &l.value, &l.attention_output}) linear->visit(f);
      l.attention_norm.visit(f);
      l.intermediate.visit(f);
      l.output.visit(f);
      l.output_norm.visit(f);
    }
    if (task_ == Task::classification) {
      pooler_.visit(f);
      classifier_.visit(f);
    }
  }
  void visit_linears(const std::function<void(Linear&)>& f) override {
    for (BertLayer& l : layers_)
      for (Linear* linear :
           {&l.query, &l.key, &l.value, &l.attention_output, &l.intermediate, &l.output})
        f(*linear);
    if (task_ == Task::classification) {
      f(pooler_);
      f(classifier_);
    }
  }
  void visit_embeddings(const std::function<void(Embedding&)>& f) override {
    f(word_), f(position_), f(type_);
  }
  std::vector<std::string> head_modules() const override {
    return task_ == Task::classification ? std::vector<std::string>{"classifier"}
                                         : std::vector<std::string>{};
  }

 private:
  static void check_supported(const Config& c) {
    const std::string act = c.string("hidden_act", "gelu");
    require(act == "gelu" || act == "relu" || act == "gelu_new",
            "{}: hidden_act '{}' is not supported for bert (supported: gelu, gelu_new, relu)",
            c.file(), act);
    const std::string kind = c.string("position_embedding_type", "absolute");
    require(kind == "absolute",
            "{}: position_embedding_type '{}' is not supported (supported: absolute)", c.file(),
            kind);
    require(!c.boolean("is_decoder", false), "{}: is_decoder = true is not supported for bert",
            c.file());
  }

  Var activate(const Var& x) const {
    return act_ == "gelu" ? gelu(x) : act_ == "relu" ? relu(x) : gelu_tanh(x);
  }

  Var block(size_t i, const Var& x, const Packing& packing) {
    const BertLayer& l = layers_[i];
    const Block& hooks = blocks_[i];
    const AttentionOptions options{.heads = info_.heads,
                                   .kv_heads = info_.heads,
                                   .scale = 1.0f / std::sqrt(static_cast<float>(info_.head_dim)),
                                   .causal = false,
                                   .dropout = training ? attention_dropout_ : 0.0f};
    const AttentionContext context{packing.offsets, nullptr, static_cast<int64_t>(i)};
    const float p = training ? hidden_dropout_ : 0.0f;
    const Var context_layer =
        attend(l.query(x), l.key(x), l.value(x), context, options, hooks.kv.get(), x);
    const Var a = dropout(l.attention_output(context_layer), p);
    const Var y = l.attention_norm(add(
        run_adapters(hooks.attn_out, a, {x, x, packing.offsets, std::cref(l.attention_norm)}), x));
    const Var f = dropout(l.output(activate(l.intermediate(y))), p);
    return l.output_norm(
        add(run_adapters(hooks.ffn_out, f, {y, y, packing.offsets, std::cref(l.output_norm)}), y));
  }

  Embedding word_, position_, type_;
  LayerNorm norm_;
  std::vector<BertLayer> layers_;
  Linear pooler_, classifier_;
  std::string act_;
  Task task_;
  float hidden_dropout_, attention_dropout_, classifier_dropout_;
};

}  // namespace

std::unique_ptr<Model> make_bert(const Config& config, Task task) {
  return std::make_unique<Bert>(config, task);
}

}  // namespace lk
