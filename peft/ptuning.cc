// GPT Understands, Too (Liu et al. 2021, arXiv:2103.10385): virtual tokens that an encoder makes,
// so that they depend on one another (eq. 4):
//   p = MLP([LSTM->(e_1 .. e_P); LSTM<-(e_1 .. e_P)])        e [P, d] learnt; p [P, d] goes in
// with MLP(x) = W2 relu(W1 x + b1) + b2. The authors' LSTM has two layers and h = d / 2 in each
// direction. HF PEFT's default is an MLP of three matrices in place of it all:
//   p = W4 relu(W2 relu(W0 e + b0) + b2) + b4                W0 [h, d], W2 [h, h], W4 [d, h]
// p stands before the text (what T5's encoder reads; of its 2 P rows there that HF PEFT makes only
// the first P are used), or anywhere in it: at the [P] of a template. The encoder is for training
// alone: files hold p, as HF PEFT has it, checkpoints the encoder.
#include "peft/ptuning.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "peft/initial.h"
#include "peft/prompt_method.h"

namespace lk {
namespace {

struct LstmDirection {
  Parameter w_ih, w_hh, b_ih, b_hh;
  LstmDirection(const std::string& end, int64_t in, int64_t h)
      : w_ih("prompt_encoder.lstm_head.weight_ih" + end, {4 * h, in}),
        w_hh("prompt_encoder.lstm_head.weight_hh" + end, {4 * h, h}),
        b_ih("prompt_encoder.lstm_head.bias_ih" + end, {4 * h}),
        b_hh("prompt_encoder.lstm_head.bias_hh" + end, {4 * h}) {}
  Var operator()(const Var& x, bool reverse) const {
    return lstm(x, w_ih.var, w_hh.var, b_ih.var, b_hh.var, reverse);
  }
  void visit(const ParameterVisitor& f) { f(w_ih), f(w_hh), f(b_ih), f(b_hh); }
};

// Makes the virtual tokens [P, d] and puts them into every document.
class EncodedPrompt : public InputAdapter {
 public:
  struct Options {
    int64_t count, rows;        // P; rows that are made, of which the first P are used
    int64_t d, hidden, layers;  // layers: of the LSTM; 0: HF PEFT's MLP
    float dropout;              // between the LSTM's layers
    bool in_template;           // at its slots, instead of before the text
    const bool* training;
  };
  explicit EncodedPrompt(const Options& o)
      : options_(o),
        values_("prompt_embeddings", {o.rows, o.d}),
        embedding_("prompt_encoder.embedding.weight", {o.rows, o.d}) {
    for (int64_t l = 0; l < o.layers; ++l)
      for (const char* end : {"", "_reverse"})
        lstm_.emplace_back(fmt::format("_l{}{}", l, end), l == 0 ? o.d : 2 * o.hidden, o.hidden);
    if (o.layers > 0)
      widths_ = {2 * o.hidden, 2 * o.hidden, o.d};
    else
      widths_ = {o.d, o.hidden, o.hidden, o.d};
    for (size_t i = 0; i + 1 < widths_.size(); ++i) {
      const std::string name = fmt::format("prompt_encoder.mlp_head.{}.", 2 * i);
      weights_.emplace_back(name + "weight", Shape{widths_[i + 1], widths_[i]});
      biases_.emplace_back(name + "bias", Shape{widths_[i + 1]});
    }
  }

  void initialise(uint64_t seed) {
    uint64_t stream = 1;
    fill_normal(embedding_, 1.0, seed, stream++);
    for (LstmDirection& l : lstm_)
      l.visit([&](Parameter& p) { fill_linear(p, options_.hidden, seed, stream++); });
    for (size_t i = 0; i < weights_.size(); ++i)
      for (Parameter* p : {&weights_[i], &biases_[i]}) fill_linear(*p, widths_[i], seed, stream++);
  }

  Var tokens() const {
    if (weights_.empty()) return values_.var;
    Var x = embedding_.var;
    for (size_t l = 0; l < lstm_.size(); l += 2) {
      if (l > 0) x = dropout(x, *options_.training ? options_.dropout : 0.0f);
      x = concat_columns({lstm_[l](x, false), lstm_[l + 1](x, true)});
    }
    for (size_t i = 0; i < weights_.size(); ++i)
      x = linear(i == 0 ? x : relu(x), weights_[i].var, biases_[i].var);
    return x;
  }

  Var forward(const Var& embedded, Packing& packing) override {
    return options_.in_template ? put_into_slots(tokens(), embedded, packing)
                                : put_first_before(options_.count, tokens(), embedded, packing);
  }
  int64_t positions_taken() const override { return options_.in_template ? 0 : options_.count; }

  void visit(const ParameterVisitor& f) override {
    if (weights_.empty()) return f(values_);
    f(embedding_);
    for (LstmDirection& l : lstm_) l.visit(f);
    for (size_t i = 0; i < weights_.size(); ++i) f(weights_[i]), f(biases_[i]);
  }
  // Takes the virtual tokens as they are; the encoder goes.
  void read(AdapterTensors& file) {
    lstm_.clear(), weights_.clear(), biases_.clear();
    file.take(values_.name, values_);
  }

 private:
  Options options_;
  std::vector<int64_t> widths_;
  Parameter values_, embedding_;     // values_: once the encoder is gone
  std::vector<LstmDirection> lstm_;  // forward and backward of each layer
  std::vector<Parameter> weights_, biases_;
};

class PTuning : public PromptMethod {
 public:
  using PromptMethod::PromptMethod;

  void attach(Model& model, uint64_t seed) override {
    remember(model);
    const std::string kind = settings_.text("encoder_reparameterization_type");
    require(kind == "MLP" || kind == "LSTM",
            "{}: encoder_reparameterization_type is '{}'; expected MLP or LSTM", settings_.source(),
            kind);
    const int64_t d = model.info().hidden_size;
    if (!settings_.has("encoder_hidden_size") ||
        settings_.integer("encoder_hidden_size", 0, 1 << 20) == 0)
      settings_.set("encoder_hidden_size", kind == "LSTM" ? d / 2 : d);
    const int64_t layers = settings_.integer("encoder_num_layers", 1, 64);
    const int64_t count = virtual_tokens(model);
    prompt_ = std::make_shared<EncodedPrompt>(EncodedPrompt::Options{
        .count = count,
        .rows = count * submodules(model),
        .d = d,
        .hidden = settings_.integer("encoder_hidden_size", 1, std::max<int64_t>(4096, d)),
        .layers = kind == "LSTM" ? layers : 0,
        .dropout = static_cast<float>(settings_.number("encoder_dropout", 0, 0.99)),
        .in_template = in_template(),
        .training = &model.training});
    prompt_->initialise(seed);
    model.input_adapters().push_back(prompt_);
    describe(model, d, model.info().heads);
    match_precision(model);
  }

  void visit(const ParameterVisitor& f) override { prompt_->visit(f); }
  void write(std::vector<NamedTensor>& file) override {
    const NoGrad no_grad;
    file.push_back({"prompt_embeddings", prompt_->tokens().value()});
  }
  void read(AdapterTensors& file) override { prompt_->read(file); }

 private:
  std::shared_ptr<EncodedPrompt> prompt_;
};

}  // namespace

MethodInfo ptuning_info() {
  return {"ptuning",
          "P_TUNING",
          "virtual tokens made by an LSTM or MLP",
          "Liu et al. 2021, arXiv:2103.10385",
          1e-3,
          {{"virtual-tokens", "num_virtual_tokens", "20", "virtual tokens"},
           {"encoder", "encoder_reparameterization_type", "\"MLP\"",
            "what makes the tokens: MLP (HF PEFT) or LSTM (the authors)"},
           {"encoder-hidden", "encoder_hidden_size", "0",
            "width of the encoder; 0: d, or d / 2 in each direction of the LSTM"},
           {"encoder-layers", "encoder_num_layers", "2", "layers of the LSTM"},
           {"encoder-dropout", "encoder_dropout", "0.0", "dropout between them"},
           {"", "prompt_placement", "\"before\"", ""},
           submodules_option()},
          [](const Settings& settings) -> std::unique_ptr<Method> {
            return std::make_unique<PTuning>(settings);
          }};
}

}  // namespace lk
