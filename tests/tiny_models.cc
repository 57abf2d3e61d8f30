#include "tests/tiny_models.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/ops.h"
#include "engine/rng.h"

namespace lk::test {
namespace {

std::string config_of(const std::string& type, double dropout) {
  const std::string p = std::to_string(dropout);
  if (type == "gpt2")
    return R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 29,
      "n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 48, "tie_word_embeddings": false,
      "initializer_range": 0.3, "embd_pdrop": )" +
           p + R"(, "attn_pdrop": )" + p + R"(, "resid_pdrop": )" + p + "}";
  if (type == "llama")
    return R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 29,
      "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "intermediate_size": 24, "max_position_embeddings": 48,
      "attention_bias": true, "initializer_range": 0.3, "attention_dropout": )" +
           p + "}";
  if (type == "t5")
    return R"({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"],
      "vocab_size": 29, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2,
      "num_decoder_layers": 2, "num_heads": 4, "relative_attention_num_buckets": 8,
      "relative_attention_max_distance": 20, "feed_forward_proj": "gated-gelu",
      "tie_word_embeddings": false, "decoder_start_token_id": 0, "initializer_range": 0.3,
      "dropout_rate": )" +
           p + "}";
  return R"({"model_type": "bert", "architectures": ["BertForSequenceClassification"],
      "vocab_size": 29, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
      "intermediate_size": 24, "max_position_embeddings": 48, "num_labels": 3,
      "initializer_range": 0.3, "hidden_dropout_prob": )" +
         p + R"(, "attention_probs_dropout_prob": )" + p + "}";
}

}  // namespace

Tensor random_tensor(const Shape& shape, DType dtype, uint64_t seed, double std) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  Random random(seed);
  for (double& v : values) v = std * random.normal();
  return Tensor::from<double>(values, shape).to(dtype);
}

std::unique_ptr<Model> tiny_model(const std::string& type, DType dtype, double dropout) {
  const Config config = Config::parse(config_of(type, dropout), type);
  auto model =
      make_model(config, type == "bert" ? Task::classification : Task::causal_lm, dtype, 7);
  uint64_t seed = 100;
  model->visit_parameters([&](Parameter& p) {
    if (p.shape.rank() > 1) return;
    const Tensor noise = random_tensor(p.shape, DType::f64, ++seed, 0.2);
    std::vector<double> values = p.var.value().to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) values[i] += noise.item(static_cast<int64_t>(i));
    p.set(Tensor::from<double>(values, p.shape).to(p.var.dtype()));
  });
  return model;
}

Documents random_documents(const std::vector<int>& lengths, uint64_t seed) {
  Random random(seed);
  Documents out;
  for (const int length : lengths) {
    out.emplace_back();
    for (int t = 0; t < length; ++t)
      out.back().push_back(static_cast<int32_t>(random.below(kVocab)));
  }
  return out;
}

Documents with_front(const std::vector<int32_t>& first, const Documents& documents) {
  Documents out = documents;
  for (auto& d : out) d.insert(d.begin(), first.begin(), first.end());
  return out;
}

Packed pack(const Documents& documents, int32_t first_position) {
  Packed out;
  out.packing.offsets.push_back(0);
  for (const auto& d : documents) {
    for (size_t t = 0; t < d.size(); ++t) {
      out.ids.push_back(d[t]);
      out.packing.positions.push_back(first_position + static_cast<int32_t>(t));
      out.packing.labels.push_back(t + 1 < d.size() ? d[t + 1] : -100);
    }
    out.class_labels.push_back(static_cast<int32_t>(out.packing.offsets.size() - 1) % 3);
    out.packing.offsets.push_back(static_cast<int32_t>(out.ids.size()));
  }
  return out;
}

ModelInput input_of(const Model& model, const Packed& batch) {
  ModelInput in = batch.input();
  if (!model.info().encoder_decoder()) return in;
  in.source_ids = batch.ids;
  in.source = {batch.packing.positions, {}, {}, batch.packing.offsets};
  return in;
}

Documents greedy_ids(Model& model, const Documents& prompts, int64_t n) {
  const NoGrad no_grad;
  Documents out;
  for (const auto& prompt : prompts) {
    const bool pairs = model.info().encoder_decoder();
    const Packed source = pack({prompt});
    std::vector<int32_t> text = pairs ? std::vector{model.info().decoder_start_id} : prompt;
    auto& written = out.emplace_back();
    while (static_cast<int64_t>(written.size()) < n) {
      const Packed read = pack({text});
      ModelInput in = read.input();
      if (pairs) in.source_ids = source.ids, in.source = source.packing;
      const Tensor logits = model.lm_logits(model.hidden(in)).value();
      const auto last = logits.rows(logits.dim(0) - 1, logits.dim(0)).to_vector<float>();
      written.push_back(
          static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
      text.push_back(written.back());
    }
  }
  return out;
}

Var loss_of(Model& model, const Packed& batch) {
  ModelInput in = input_of(model, batch);
  const Var h = model.hidden(in);
  if (!model.head_modules().empty())
    return cross_entropy(model.class_logits(h, in.packing), batch.class_labels);
  return model.lm_loss(h, in.packing.labels);
}

Tensor hidden_of(Model& model, const Packed& batch, Packing* moved) {
  const NoGrad no_grad;
  ModelInput in = input_of(model, batch);
  const Tensor h = model.hidden(in).value();
  if (moved) *moved = in.packing;
  return h;
}

double gradient_error(Model& model, const Packed& batch,
                      const std::vector<Parameter*>& parameters) {
  for (Parameter* p : parameters) p->var.set_grad({});
  backward(loss_of(model, batch));
  const NoGrad no_grad;
  Random random(17);
  double worst = 0;
  for (Parameter* p : parameters) {
    const Tensor g = p->var.grad();
    if (!g.defined()) return std::numeric_limits<double>::infinity();
    const auto n = static_cast<size_t>(g.numel());
    double* const value = p->var.value().data<double>();
    const std::vector<double> at(value, value + n);
    const auto loss_beside = [&](const std::vector<double>& direction, double step) {
      for (size_t i = 0; i < n; ++i) value[i] = at[i] + step * direction[i];
      return loss_of(model, batch).value().item();
    };
    double largest = 1e-6, error = 0;
    for (size_t i = 0; i < n; ++i)
      largest = std::max(largest, std::abs(g.item(static_cast<int64_t>(i))));
    const auto compare_along = [&](const std::vector<double>& direction) {
      const double step = 5e-6;
      const double slope =
          (loss_beside(direction, step) - loss_beside(direction, -step)) / (2 * step);
      double expected = 0;
      for (size_t i = 0; i < n; ++i) expected += g.item(static_cast<int64_t>(i)) * direction[i];
      const double difference = std::abs(slope - expected);
      error = std::isfinite(difference) ? std::max(error, difference)
                                        : std::numeric_limits<double>::infinity();
    };
    constexpr size_t kDirections = 4;
    std::vector<double> direction(n, 0.0);
    for (size_t d = 0; d < std::min(n, kDirections); ++d) {
      for (size_t i = 0; i < n; ++i)
        direction[i] = n <= kDirections ? i == d : random.uniform() < 0.5 ? -1 : 1;
      compare_along(direction);
    }
    std::copy(at.begin(), at.end(), value);
    worst = std::max(worst, error / largest);
  }
  return worst;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() && a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace lk::test
