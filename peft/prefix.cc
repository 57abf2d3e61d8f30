// Prefix-Tuning: Optimizing Continuous Prompts for Generation (Li and Liang 2021,
// arXiv:2101.00190). P virtual tokens have keys and values of their own in every layer, which all
// tokens see:
//   head_i = attention(Q, [P_k; K], [P_v; V])              P_k, P_v [P, kv_dim] of each layer
// eq. 5 gets them from a smaller table through an MLP, which steadies training and goes afterwards:
//   [P_k, P_v] of all layers = W2 tanh(W1 E + b1) + b2     E [P, e], W1 [m, e], W2 [L 2 kv_dim, m]
// Trained: 2 P L kv_dim numbers directly (prefix_projection false, HF PEFT's default), or
// P e + m e + m + (m + 1) 2 L kv_dim with the MLP. Files hold [P_k, P_v] alone, as HF PEFT has it;
// checkpoints hold the MLP. Positions of a text start at P ("shift": the authors' GPT-2 and HF
// PEFT) or at 0 ("keep": AdapterHub).
//
// T5 has the prefix in its decoder's self-attention, as HF PEFT, which hands out the file's L
// layers in a peculiar way: layer i of the decoder gets layer 2 i mod L. HF PEFT's own L is the
// model's, so that half of an even L is never read; a new adapter has the next odd one
// ("num_layers", which HF PEFT obeys), where each layer has its own. AdapterHub's prefix (--method
// adapterhub) has one each for encoder, decoder and the attention between them, as the authors for
// BART.
#include "peft/prefix.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "peft/prefix_encoder.h"
#include "peft/prompt_method.h"

namespace lk {
namespace {

class PrefixTuning : public PromptMethod {
 public:
  using PromptMethod::PromptMethod;

  void prepare(const Tokenize& tokenize, const std::vector<std::string>&) override {
    if (!settings_.has_text("prefix_init_text")) return;
    init_ids_ = tokenize(settings_.text("prefix_init_text"));
    require(!init_ids_.empty(), "{}: prefix_init_text has no tokens", settings_.source());
  }

  void attach(Model& model, uint64_t seed) override {
    remember(model);
    const ModelInfo& info = model.info();
    const int64_t count = virtual_tokens(model), kv_dim = info.kv_heads * info.head_dim;
    const bool projection = settings_.boolean("prefix_projection");
    const bool pairs = info.encoder_decoder();
    const int64_t layers = settings_.has("num_layers") ? settings_.integer("num_layers", 1, 1024)
                           : pairs                     ? info.layers | 1
                                                       : info.layers;
    require(pairs ? layers >= info.layers : layers == info.layers,
            "{}: num_layers is {}, but the model has {}", settings_.source(), layers, info.layers);
    require(!pairs || submodules(model) == 2,
            "{}: num_transformer_submodules is 1, with which HF PEFT cannot run a prefix in an "
            "encoder-decoder; expected 2",
            settings_.source());
    settings_.set("num_layers", layers);
    const auto read_by = [&](int64_t l) { return pairs ? 2 * l % layers : l; };
    std::vector<int64_t> unread;
    for (int64_t f = 0; f < layers; ++f) {
      bool read = false;
      for (int64_t l = 0; l < info.layers; ++l) read = read || read_by(l) == f;
      if (!read) unread.push_back(f);
    }
    const PrefixShape shape{
        .length = count,
        .embedding_dim = kv_dim,
        .hidden = projection ? settings_.integer("encoder_hidden_size", 1, 1 << 16) : 0,
        .layers = layers,
        .kv_dim = kv_dim,
        .dropout = static_cast<float>(settings_.number("prefix_dropout", 0, 0.99)),
        .unread = unread};
    encoder_ = std::make_shared<PrefixEncoder>(shape);
    encoder_->initialise(settings_.number("prefix_init_std", 0, 100), seed);
    // 500 steps as the authors; the rate falls with the width, whose units add up (3e-4 at 512).
    if (!init_ids_.empty())
      encoder_->fit(activations_of(model, repeated(init_ids_, count), layers, read_by), 500,
                    0.16 / static_cast<double>(std::max<int64_t>(shape.hidden, 16)));
    for (int64_t l = 0; l < info.layers; ++l)
      add_prefix(model.blocks()[static_cast<size_t>(info.encoder_layers + l)].kv,
                 std::make_shared<PrefixAdapter>(encoder_, read_by(l), &model.training));
    const std::string positions = settings_.text("prefix_positions");
    require(positions == "shift" || positions == "keep",
            "{}: prefix_positions is '{}'; expected shift or keep", settings_.source(), positions);
    auto& inputs = pairs ? model.target_input_adapters() : model.input_adapters();
    if (positions == "shift") inputs.push_back(std::make_shared<PositionShift>(count));
    describe(model, kv_dim, info.kv_heads);
    match_precision(model);
  }

  void visit(const ParameterVisitor& f) override { encoder_->visit(f); }
  void write(std::vector<NamedTensor>& file) override {
    file.push_back({"prompt_embeddings", encoder_->values()});
  }
  void read(AdapterTensors& file) override {
    const PrefixShape& s = encoder_->shape();
    encoder_->set_values(file.take("prompt_embeddings", {s.length, s.layers * 2 * s.kv_dim}));
  }

 private:
  std::shared_ptr<PrefixEncoder> encoder_;
  std::vector<int32_t> init_ids_;
};

}  // namespace

std::unique_ptr<Method> make_prefix(const Settings& settings) {
  return std::make_unique<PrefixTuning>(settings);
}

std::vector<MethodOption> prefix_options(const std::string& init_std, const std::string& dropout) {
  return {
      {"virtual-tokens", "num_virtual_tokens", "20", "virtual tokens"},
      {"prefix-projection", "prefix_projection", "false", "learn them through an MLP"},
      {"encoder-hidden", "encoder_hidden_size", "512", "width of the MLP"},
      {"prefix-dropout", "prefix_dropout", dropout, "dropout on keys and values"},
      {"prefix-init-std", "prefix_init_std", init_std, "standard deviation of the first values"},
      {"prefix-init-text", "prefix_init_text", "\"\"",
       "start from what the base makes of these words"},
      {"prefix-positions", "prefix_positions", "\"shift\"",
       "positions of a text start after the prefix (shift) or at 0 (keep)"}};
}

MethodInfo prefix_info() {
  return {"prefix",
          "PREFIX_TUNING",
          "keys and values of virtual tokens in every layer",
          "Li and Liang 2021, arXiv:2101.00190",
          5e-3,
          prefix_options("1.0", "0.0"),
          make_prefix};
}

}  // namespace lk
