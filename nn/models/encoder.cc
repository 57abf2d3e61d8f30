#include "nn/models/encoder.h"

#include <cmath>
#include <functional>

#include "nn/models/models.h"
#include "nn/norm.h"

namespace lk {
namespace {

constexpr int64_t kMost = 1 << 24;

struct EncoderLayer {
  Linear query, key, value, attention_output, intermediate, output;
  LayerNorm attention_norm, output_norm;
};

std::string architecture_of(const EncoderSpec& spec, Task task) {
  switch (task) {
    case Task::classification:
      return spec.family + "ForSequenceClassification";
    case Task::token_classification:
      return spec.family + "ForTokenClassification";
    case Task::masked_lm:
      return spec.family + "ForMaskedLM";
    default:
      return spec.family + "Model";
  }
}

Var activate(const std::string& act, const Var& x) {
  return act == "gelu" ? gelu(x) : act == "relu" ? relu(x) : gelu_tanh(x);
}

class Encoder : public Model {
 public:
  Encoder(const Config& c, Task task, const EncoderSpec& spec) : spec_(spec) {
    require(task != Task::causal_lm,
            "{}: {} is an encoder and writes no text; give it a classification data set", c.file(),
            c.string("model_type", ""));
    info_.architecture = architecture_of(spec, task);
    info_.model_type = c.string("model_type", "");
    info_.causal = false;
    info_.vocab_size = c.integer("vocab_size", 1, kMost);
    info_.hidden_size = c.integer("hidden_size", 1, kMost);
    info_.layers = c.integer("num_hidden_layers", 1, 1024);
    info_.heads = info_.kv_heads = c.integer("num_attention_heads", 1, 1024);
    require(info_.hidden_size % info_.heads == 0,
            "{}: hidden_size {} is no multiple of num_attention_heads {}", c.file(),
            info_.hidden_size, info_.heads);
    info_.head_dim = info_.hidden_size / info_.heads;
    const int64_t positions = c.integer("max_position_embeddings", 1, 1 << 30);
    info_.max_positions = positions - spec.first_position;
    require(info_.max_positions > 0,
            "{}: max_position_embeddings is {}, of which {} are not for text", c.file(), positions,
            spec.first_position);
    set_common(info_, c, task);
    require(task != Task::masked_lm || c.boolean("tie_word_embeddings", true),
            "{}: tie_word_embeddings = false is not supported for a masked language model",
            c.file());
    const int64_t d = info_.hidden_size, ffn = c.integer("intermediate_size", 1, kMost);
    const auto eps = static_cast<float>(c.number("layer_norm_eps", 0, 1, 1e-12));
    act_ = c.string("hidden_act", "gelu");
    hidden_dropout_ = static_cast<float>(c.number("hidden_dropout_prob", 0, 0.99, 0.1));
    attention_dropout_ = static_cast<float>(c.number("attention_probs_dropout_prob", 0, 0.99, 0.1));
    classifier_dropout_ =
        static_cast<float>(c.number("classifier_dropout", 0, 0.99, hidden_dropout_));

    // A bare encoder's file has no prefix, one with a head has the body's: the loader tries both.
    const std::string e = spec.body + ".embeddings.";
    word_ = Embedding(e + "word_embeddings", info_.vocab_size, d);
    position_ = Embedding(e + "position_embeddings", positions, d);
    type_ = Embedding(e + "token_type_embeddings", c.integer("type_vocab_size", 1, 1024, 2), d);
    norm_ = LayerNorm(e + "LayerNorm", d, eps);
    for (int i = 0; i < info_.layers; ++i) {
      const std::string p = spec.body + ".encoder.layer." + std::to_string(i) + ".";
      EncoderLayer& l = layers_.emplace_back();
      l.query = Linear(p + "attention.self.query", Role::q, i, d, d, true);
      l.key = Linear(p + "attention.self.key", Role::k, i, d, d, true);
      l.value = Linear(p + "attention.self.value", Role::v, i, d, d, true);
      l.attention_output = Linear(p + "attention.output.dense", Role::o, i, d, d, true);
      l.attention_norm = LayerNorm(p + "attention.output.LayerNorm", d, eps);
      l.intermediate = Linear(p + "intermediate.dense", Role::up, i, d, ffn, true);
      l.output = Linear(p + "output.dense", Role::down, i, ffn, d, true);
      l.output_norm = LayerNorm(p + "output.LayerNorm", d, eps);
    }
    if (task == Task::classification) {
      pooler_ = Linear(spec.pooler, Role::pooler, -1, d, d, true);
      classifier_ = Linear(spec.classifier, Role::head, -1, d, info_.labels, true);
    } else if (task == Task::token_classification) {
      classifier_ = Linear("classifier", Role::head, -1, d, info_.labels, true);
    } else if (task == Task::masked_lm) {
      mlm_dense_ = Linear(spec.mlm_dense, Role::head, -1, d, d, true);
      mlm_norm_ = LayerNorm(spec.mlm_norm, d, eps);
      mlm_bias_ = Parameter(spec.mlm_bias, {info_.vocab_size});
    }
    blocks_.resize(layers_.size());
  }

  Var hidden(ModelInput& in) override {
    invariant(in.cache == nullptr, "an encoder has no key-value cache");
    Packing& packing = in.packing;
    Var x = run_input_adapters(word_(in.ids, compute_), in);
    packing.type_ids.resize(static_cast<size_t>(x.dim(0)), 0);
    std::vector<int32_t> rows = packing.positions;
    for (int32_t& row : rows) row += static_cast<int32_t>(spec_.first_position);
    x = norm_.of_sum(add(x, type_(packing.type_ids, compute_)), position_(rows, compute_)).y;
    x = dropout(x, training ? hidden_dropout_ : 0.0f);
    x = run_embedded_adapters(x, in.packing);
    // Shared, since a checkpointed block runs again in the backward pass, when `in` is gone.
    const auto shared = std::make_shared<const Packing>(packing);
    for (size_t i = 0; i < layers_.size(); ++i)
      x = run_block([this, i, shared](const Var& h) { return block(i, h, *shared); }, x);
    return x;
  }
  Var lm_loss(const Var& h, std::span<const int32_t> labels) override {
    return linear_cross_entropy(mlm_transform(h), word_.weight.var, mlm_bias_.var, labels);
  }
  Var lm_logits(const Var& h) override {
    return linear(mlm_transform(h), word_.weight.var, mlm_bias_.var);
  }
  Var class_logits(const Var& h, const Packing& packing) override {
    const float p = training ? classifier_dropout_ : 0.0f;
    if (info_.task == Task::token_classification) return classifier_(dropout(h, p));
    Var first = gather_rows(h, first_rows(packing));
    if (spec_.dropout_before_pooler) first = dropout(first, p);
    return classifier_(dropout(lk::tanh(pooler_(first)), p));
  }

  void visit_parameters(const ParameterVisitor& f) override {
    word_.visit(f);
    position_.visit(f);
    type_.visit(f);
    norm_.visit(f);
    for (EncoderLayer& l : layers_) {
      for (Linear* linear : {&l.query, &l.key, &l.value, &l.attention_output}) linear->visit(f);
      l.attention_norm.visit(f);
      l.intermediate.visit(f);
      l.output.visit(f);
      l.output_norm.visit(f);
    }
    for (Linear* head : heads()) head->visit(f);
    if (info_.task != Task::masked_lm) return;
    mlm_norm_.visit(f);
    f(mlm_bias_);
  }
  void visit_linears(const std::function<void(Linear&)>& f) override {
    for (EncoderLayer& l : layers_)
      for (Linear* linear :
           {&l.query, &l.key, &l.value, &l.attention_output, &l.intermediate, &l.output})
        f(*linear);
    for (Linear* head : heads()) f(*head);
  }
  void visit_embeddings(const std::function<void(Embedding&)>& f) override {
    f(word_), f(position_), f(type_);
  }
  std::vector<std::string> head_modules() const override {
    const bool classes =
        info_.task == Task::classification || info_.task == Task::token_classification;
    return classes ? std::vector<std::string>{"classifier"} : std::vector<std::string>{};
  }

 private:
  std::vector<Linear*> heads() {
    if (info_.task == Task::classification) return {&pooler_, &classifier_};
    if (info_.task == Task::token_classification) return {&classifier_};
    if (info_.task == Task::masked_lm) return {&mlm_dense_};
    return {};
  }

  Var mlm_transform(const Var& h) const {
    require(info_.task == Task::masked_lm, "{} has no language-model head", info_.architecture);
    return mlm_norm_(activate(spec_.mlm_act.empty() ? act_ : spec_.mlm_act, mlm_dense_(h)));
  }

  Var block(size_t i, const Var& x, const Packing& packing) {
    const EncoderLayer& l = layers_[i];
    const Block& hooks = blocks_[i];
    const AttentionOptions options{.heads = info_.heads,
                                   .kv_heads = info_.heads,
                                   .scale = 1.0f / std::sqrt(static_cast<float>(info_.head_dim)),
                                   .causal = false,
                                   .dropout = training ? attention_dropout_ : 0.0f};
    const std::span<const int32_t> at(packing.offsets);
    const AttentionContext context{at, nullptr, static_cast<int64_t>(i)};
    const float p = training ? hidden_dropout_ : 0.0f;
    const Var context_layer =
        attend(l.query(x, at), l.key(x, at), l.value(x, at), context, options, hooks.kv.get(), x);
    const Var a = run_adapters(hooks.attn_out, dropout(l.attention_output(context_layer, at), p),
                               {x, x, at, std::cref(l.attention_norm)});
    const Var y = l.attention_norm.of_sum(a, x).y;
    const Var inner = activate(act_, l.intermediate(y, at));
    const Var f = run_adapters(hooks.ffn_out, dropout(l.output(inner, at), p),
                               {y, y, at, std::cref(l.output_norm)});
    return l.output_norm.of_sum(f, y).y;
  }

  EncoderSpec spec_;
  Embedding word_, position_, type_;
  LayerNorm norm_, mlm_norm_;
  std::vector<EncoderLayer> layers_;
  Linear pooler_, classifier_, mlm_dense_;
  Parameter mlm_bias_;
  std::string act_;
  float hidden_dropout_, attention_dropout_, classifier_dropout_;
};

}  // namespace

std::unique_ptr<Model> make_encoder(const Config& config, Task task, const EncoderSpec& spec) {
  return std::make_unique<Encoder>(config, task, spec);
}

ConfigFields encoder_fields() {
  return {.read = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                   "intermediate_size", "max_position_embeddings", "type_vocab_size",
                   "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob",
                   "classifier_dropout", "tie_word_embeddings"},
          .only = {{"hidden_act", R"(["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"])"},
                   {"position_embedding_type", R"(["absolute"])"},
                   {"is_decoder", "[false]"},
                   {"is_encoder_decoder", "[false]"}},
          .neutral = {}};
}

}  // namespace lk
