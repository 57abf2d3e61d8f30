// Keys and values of P virtual tokens in every layer, learnt directly or through an MLP: what
// prefix tuning, P-tuning v2, MAM and UniPELT have in common.
#pragma once

#include "engine/files/safetensors.h"
#include "nn/hooks.h"
#include "nn/model.h"
#include "peft/adapter_tensors.h"

namespace lk {

struct PrefixShape {
  int64_t length;         // P, virtual tokens
  int64_t embedding_dim;  // e, of the MLP's input
  int64_t hidden;         // m, of the MLP; 0: no MLP
  int64_t layers, kv_dim;
  float dropout = 0;  // on keys and values
  // Layers of the file that no layer of the model reads; an MLP does not learn them.
  std::vector<int64_t> unread = {};
};

class PrefixEncoder {
 public:
  explicit PrefixEncoder(const PrefixShape& shape);
  // The direct values and the embedding N(0, std^2), the MLP as torch starts Linear.
  void initialise(double std, uint64_t seed);
  // Keys and values [P, kv_dim] of a layer.
  std::pair<Var, Var> layer(int64_t layer) const;
  void visit(const ParameterVisitor& f);
  const PrefixShape& shape() const { return shape_; }

  // All layers' [P, layers * 2 * kv_dim], row p: layer by layer, keys then values.
  Tensor values() const;
  // Takes such values in place of the MLP, which goes.
  void set_values(const Tensor& values);
  // Brings values() near `target` (of that shape): itself without an MLP, else by `steps` steps of
  // Adam on the squared distance, as the authors start from real words in their low-data setting.
  void fit(const Tensor& target, int64_t steps, double lr);

  // The MLP as one module: prefix + ".weight" etc. is left to `name`, which gets
  // "embedding.weight", "transform.0.weight", "transform.0.bias", "transform.2.weight",
  // "transform.2.bias".
  using Name = std::function<std::string(const std::string& part)>;
  void write_mlp(std::vector<NamedTensor>& file, const Name& name) const;
  void read_mlp(AdapterTensors& file, const Name& name);
  bool has_mlp() const { return shape_.hidden > 0; }

 private:
  PrefixShape shape_;
  Parameter values_;  // without an MLP
  Parameter embedding_, w1_, b1_;
  std::vector<Parameter> w2_,
      b2_;  // of each layer: [2 * kv_dim, m], so that a layer costs its own part
};

// The prefix of one layer, the same for all documents.
class PrefixAdapter : public KvAdapter {
 public:
  PrefixAdapter(std::shared_ptr<PrefixEncoder> encoder, int64_t layer, const bool* training)
      : encoder_(std::move(encoder)), layer_(layer), training_(training) {}
  KvPrefix prefix(const Var& x, std::span<const int32_t> offsets) override;
  void visit(const ParameterVisitor& f) override { encoder_->visit(f); }

 private:
  std::shared_ptr<PrefixEncoder> encoder_;
  int64_t layer_;
  const bool* training_;  // the model's flag
};

// What real words give: keys and values of `ids` in every layer of the base (every decoder layer of
// an encoder-decoder that reads the same words with both), as values() lays out `layers` of them:
// those of layer l at place(l), 0 where there are none.
Tensor activations_of(Model& model, const std::vector<int32_t>& ids, int64_t layers,
                      const std::function<int64_t(int64_t l)>& place);

}  // namespace lk
