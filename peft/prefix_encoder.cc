#include "peft/prefix_encoder.h"

#include <algorithm>

#include "autograd/ops.h"
#include "nn/optim/optimizer.h"
#include "peft/initial.h"

namespace lk {

PrefixEncoder::PrefixEncoder(const PrefixShape& s)
    : shape_(s),
      values_("prompt_embeddings", {s.length, s.layers * 2 * s.kv_dim}),
      embedding_("prompt_encoder.embedding.weight", {s.length, s.embedding_dim}),
      w1_("prompt_encoder.transform.0.weight", {s.hidden, s.embedding_dim}),
      b1_("prompt_encoder.transform.0.bias", {s.hidden}) {
  for (int64_t l = 0; l < s.layers && s.hidden > 0; ++l) {
    const std::string name = fmt::format("prompt_encoder.transform.2.{}.", l);
    w2_.emplace_back(name + "weight", Shape{2 * s.kv_dim, s.hidden});
    b2_.emplace_back(name + "bias", Shape{2 * s.kv_dim});
  }
}

void PrefixEncoder::initialise(double std, uint64_t seed) {
  uint64_t stream = 1;
  fill_normal(has_mlp() ? embedding_ : values_, std, seed, stream++);
  if (!has_mlp()) return;
  for (Parameter* p : {&w1_, &b1_}) fill_linear(*p, shape_.embedding_dim, seed, stream++);
  for (size_t l = 0; l < w2_.size(); ++l)
    for (Parameter* p : {&w2_[l], &b2_[l]}) fill_linear(*p, shape_.hidden, seed, stream++);
}

// tanh(E W1^T + b1) W2^T + b2, as Li and Liang have it.
std::pair<Var, Var> PrefixEncoder::layer(int64_t layer) const {
  const int64_t d = shape_.kv_dim;
  if (has_mlp()) {
    const auto l = static_cast<size_t>(layer);
    const Var hidden = lk::tanh(linear(embedding_.var, w1_.var, b1_.var));
    const std::vector<Var> kv = split_columns(linear(hidden, w2_[l].var, b2_[l].var), {d, d});
    return {kv[0], kv[1]};
  }
  const int64_t before = layer * 2 * d, after = (shape_.layers - layer - 1) * 2 * d;
  const std::vector<Var> parts = split_columns(values_.var, {before, d, d, after});
  return {parts[1], parts[2]};
}

void PrefixEncoder::visit(const ParameterVisitor& f) {
  if (!has_mlp()) return f(values_);
  f(embedding_), f(w1_), f(b1_);
  for (size_t l = 0; l < w2_.size(); ++l)
    if (std::find(shape_.unread.begin(), shape_.unread.end(), static_cast<int64_t>(l)) ==
        shape_.unread.end())
      f(w2_[l]), f(b2_[l]);
}

Tensor PrefixEncoder::values() const {
  const NoGrad no_grad;
  if (!has_mlp()) return values_.var.value();
  std::vector<Var> parts;
  for (int64_t l = 0; l < shape_.layers; ++l) {
    const auto [k, v] = layer(l);
    parts.insert(parts.end(), {k, v});
  }
  return concat_columns(parts).value();
}

void PrefixEncoder::set_values(const Tensor& values) {
  const CategoryScope weights(Category::weights);
  shape_.hidden = 0;
  w2_.clear(), b2_.clear();
  values_.set(values.to(values.dtype() == DType::f64 ? DType::f64 : DType::f32));
}

void PrefixEncoder::fit(const Tensor& target, int64_t steps, double lr) {
  if (!has_mlp()) return set_values(target);
  ParamGroup group;
  visit([&](Parameter& p) {
    p.make_trainable();
    group.params.emplace_back(p.name, p.var);
  });
  const auto adam = make_optimizer({}, {group});
  const float share = 1.0f / static_cast<float>(target.numel());
  const std::vector<Var> wanted = split_columns(
      target, std::vector<int64_t>(static_cast<size_t>(2 * shape_.layers), shape_.kv_dim));
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t l = 0; l < shape_.layers; ++l) {
      if (std::find(shape_.unread.begin(), shape_.unread.end(), l) != shape_.unread.end()) continue;
      const auto [k, v] = layer(l);
      const auto at = static_cast<size_t>(2 * l);
      const auto squared = [&](const Var& is, const Var& wanted_now) {
        const Var error = add(is, scale(wanted_now, -1.0f));
        return sum(mul(error, error));
      };
      backward(scale(add(squared(k, wanted[at]), squared(v, wanted[at + 1])), share));
    }
    adam->step(lr);
    adam->zero_grad();
  }
  visit([](Parameter& p) { p.freeze(); });
}

void PrefixEncoder::write_mlp(std::vector<NamedTensor>& file, const Name& name) const {
  const NoGrad no_grad;
  std::vector<Var> weights, biases;
  for (size_t l = 0; l < w2_.size(); ++l) {
    weights.push_back(w2_[l].var);
    biases.emplace_back(b2_[l].var.value().view({1, b2_[l].shape[0]}));
  }
  const Tensor bias = concat_columns(biases).value();
  file.push_back({name("embedding.weight"), embedding_.var.value()});
  file.push_back({name("transform.0.weight"), w1_.var.value()});
  file.push_back({name("transform.0.bias"), b1_.var.value()});
  file.push_back({name("transform.2.weight"), concat_rows(weights).value()});
  file.push_back({name("transform.2.bias"), bias.view({bias.numel()})});
}

void PrefixEncoder::read_mlp(AdapterTensors& file, const Name& name) {
  const CategoryScope weights(Category::weights);
  file.take(name("embedding.weight"), embedding_);
  file.take(name("transform.0.weight"), w1_);
  file.take(name("transform.0.bias"), b1_);
  const int64_t rows = 2 * shape_.kv_dim;
  const Tensor w = file.take(name("transform.2.weight"), {shape_.layers * rows, shape_.hidden}),
               b = file.take(name("transform.2.bias"), {shape_.layers * rows}).to(DType::f32);
  for (int64_t l = 0; l < shape_.layers; ++l) {
    w2_[static_cast<size_t>(l)].set(w.rows(l * rows, (l + 1) * rows).to(DType::f32).clone());
    b2_[static_cast<size_t>(l)].set(b.rows(l * rows, (l + 1) * rows).clone());
  }
}

KvPrefix PrefixAdapter::prefix(const Var&, std::span<const int32_t>) {
  const auto [k, v] = encoder_->layer(layer_);
  const float p = *training_ ? encoder_->shape().dropout : 0.0f;
  return {dropout(k, p), dropout(v, p)};
}

namespace {

// Remembers what a linear layer gives.
struct Recorder : LinearAdapter {
  Tensor seen;
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    Var y = inner(x);
    seen = y.value();
    return y;
  }
  void visit(const ParameterVisitor&) override {}
};

}  // namespace

Tensor activations_of(Model& model, const std::vector<int32_t>& ids, int64_t layers,
                      const std::function<int64_t(int64_t l)>& place) {
  const NoGrad no_grad;
  const ModelInfo& info = model.info();
  const int64_t kv_dim = info.kv_heads * info.head_dim;
  const auto count = static_cast<int32_t>(ids.size());
  ModelInput in{ids, {}, nullptr};
  in.packing.offsets = {0, count};
  for (int32_t i = 0; i < count; ++i) in.packing.positions.push_back(i);
  if (info.encoder_decoder()) in.source_ids = ids, in.source = in.packing;
  std::vector<Var> parts;
  if (info.causal) {  // a cache holds the keys as attention takes them, rotated where the model
                      // does
    KvCache cache(1, info.layers, count, kv_dim, model.compute_dtype());
    in.cache = &cache;
    model.hidden(in);
    for (int64_t l = 0; l < info.layers; ++l) {
      const auto [k, v] = cache.contents(0, l);
      parts.insert(parts.end(), {k.clone(), v.clone()});
    }
  } else {
    std::vector<std::pair<Linear*, std::shared_ptr<Recorder>>> taps;
    model.visit_linears([&](Linear& l) {
      if (l.role() != Role::k && l.role() != Role::v) return;
      taps.emplace_back(&l, std::make_shared<Recorder>());
      l.adapters().push_back(taps.back().second);
    });
    model.hidden(in);
    for (auto& [linear, tap] : taps) {  // key and value, layer by layer
      parts.emplace_back(tap->seen);
      std::erase(linear->adapters(), std::static_pointer_cast<LinearAdapter>(tap));
    }
  }
  const Var nothing = Tensor::zeros({count, kv_dim}, parts[0].dtype());
  std::vector<Var> placed(static_cast<size_t>(2 * layers), nothing);
  for (int64_t l = 0; l < info.layers; ++l)
    for (const int64_t kv : {0, 1})
      placed[static_cast<size_t>(2 * place(l) + kv)] = parts[static_cast<size_t>(2 * l + kv)];
  return concat_columns(placed).value().to(DType::f32);
}

}  // namespace lk
