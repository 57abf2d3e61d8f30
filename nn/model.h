// A transformer with a task head. One class per architecture (nn/models/), found by the name that
// config.json gives; what differs between fine-tuning methods stays outside (nn/hooks.h).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/attention.h"
#include "nn/embedding.h"
#include "nn/hooks.h"
#include "nn/linear.h"

namespace lk {

// causal_lm: writes text (an encoder-decoder too); classification: a class for each document;
// token_classification: a class for each token; masked_lm: the token at each place; none: the bare
// encoder.
enum class Task : uint8_t { causal_lm, classification, token_classification, masked_lm, none };

// An encoder-decoder reads `source` with its encoder, and ids are what its decoder reads: the start
// token and what was written so far. The documents of the two are pairs.
struct ModelInput {
  std::span<const int32_t> ids;  // [T]; packed documents
  Packing packing;
  KvCache* cache = nullptr;
  std::span<const int32_t> source_ids = {};  // [S]
  Packing source = {};
};

// The places of a block where adapters can sit; cross: a decoder's attention to what the encoder
// read.
struct Block {
  std::vector<std::shared_ptr<BlockAdapter>> attn_out, ffn_out, cross_out;
  std::shared_ptr<KvAdapter> kv, cross_kv;
};

// What all architectures have in common.
struct ModelInfo {
  std::string architecture;  // "LlamaForCausalLM"
  std::string model_type;    // "llama"
  int64_t hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab_size = 0;
  int64_t max_positions = 0;      // the longest document
  int64_t labels = 0;             // classes, for classification
  bool causal = true;             // writes text
  int64_t encoder_layers = 0;     // of an encoder-decoder; `layers` are then the decoder's
  int32_t decoder_start_id = -1;  // what its decoder reads first
  bool encoder_decoder() const { return encoder_layers > 0; }
  Task task = Task::causal_lm;
  std::vector<int32_t> eos_ids;
  int32_t bos_id = -1, pad_id = -1;
};

class Model {
 public:
  virtual ~Model() = default;
  // Final hidden states [T', d] (the decoder's, where there are two); packing moves along with
  // inserted tokens.
  virtual Var hidden(ModelInput& input) = 0;
  // Sum of -log p(label) over labelled tokens; h [T, d], labels [T] as in Packing: the next token,
  // or the token itself for masked_lm. f32 [1].
  virtual Var lm_loss(const Var& h, std::span<const int32_t> labels) = 0;
  virtual Var lm_logits(const Var& h) = 0;  // [T, d] -> [T, V]
  // [T, d] -> [B, labels], or [T, labels] for token_classification.
  virtual Var class_logits(const Var& h, const Packing& packing) = 0;
  virtual void visit_parameters(const ParameterVisitor& f) = 0;  // in file order
  virtual void visit_linears(const std::function<void(Linear&)>& f) = 0;
  virtual void visit_embeddings(const std::function<void(Embedding&)>& f) = 0;
  // Module names that are the task's head (new weights when a bare encoder becomes a classifier).
  virtual std::vector<std::string> head_modules() const = 0;

  const ModelInfo& info() const { return info_; }
  Device device();  // that of its parameters
  DType compute_dtype() const { return compute_; }
  void set_compute_dtype(DType dtype) { compute_ = dtype; }
  bool gradient_checkpointing = false;
  // Where a method that starts from a weight's singular values computes them (PiSSA, LoftQ).
  Device factor_on = Device::cpu;
  bool training = false;  // dropout acts
  // An encoder-decoder lists the encoder's blocks, then the decoder's.
  std::vector<Block>& blocks() { return blocks_; }
  // After the embedding of what the model reads: an encoder-decoder's source. Those of its decoder
  // are the target's.
  std::vector<std::shared_ptr<InputAdapter>>& input_adapters() { return input_adapters_; }
  std::vector<std::shared_ptr<InputAdapter>>& target_input_adapters() {
    return target_input_adapters_;
  }
  // After the whole embedding of the same.
  std::vector<std::shared_ptr<EmbeddedAdapter>>& embedded_adapters() { return embedded_adapters_; }
  // The longest document that may go in: the context less what input adapters take of it.
  int64_t max_length() const;

 protected:
  // Runs one block, through a checkpoint where asked.
  Var run_block(const std::function<Var(const Var&)>& block, const Var& x) const {
    return gradient_checkpointing ? checkpoint(block, x) : block(x);
  }
  // Only where a text begins: tokens that follow a cache have nothing put before them. Error when a
  // position is then outside the context.
  Var run_input_adapters(Var x, ModelInput& input);
  Var run_input_adapters(Var x, Packing& packing,
                         const std::vector<std::shared_ptr<InputAdapter>>& adapters);
  Var run_embedded_adapters(Var x, Packing& packing);
  static Var run_adapters(const std::vector<std::shared_ptr<BlockAdapter>>& adapters, Var h,
                          const Sublayer& at) {
    for (const auto& adapter : adapters) h = adapter->forward(h, at);
    return h;
  }
  ModelInfo info_;
  DType compute_ = DType::f32;
  std::vector<Block> blocks_;
  std::vector<std::shared_ptr<InputAdapter>> input_adapters_, target_input_adapters_;
  std::vector<std::shared_ptr<EmbeddedAdapter>> embedded_adapters_;
};

}  // namespace lk
