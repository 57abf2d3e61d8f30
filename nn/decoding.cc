#include "nn/decoding.h"

#include <algorithm>

#include "autograd/ops.h"

namespace lk {
namespace {

int64_t longest(const std::vector<std::vector<int32_t>>& prompts) {
  size_t most = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    require(!prompts[i].empty(), "prompt {} has no tokens", i + 1);
    most = std::max(most, prompts[i].size());
  }
  return static_cast<int64_t>(most);
}

int64_t capacity(Model& model, const std::vector<std::vector<int32_t>>& prompts,
                 int64_t max_new_tokens) {
  const ModelInfo& info = model.info();
  const int64_t length = longest(prompts);
  require(length < model.max_length(),
          "a prompt has {} tokens; the model's context is {} and must hold {}the answer too",
          length, info.max_positions, model.input_adapters().empty() ? "" : "virtual tokens and ");
  return std::min(info.max_positions, (info.encoder_decoder() ? 1 : length) + max_new_tokens);
}

}  // namespace

Decoding::Decoding(Model& model, const std::vector<std::vector<int32_t>>& prompts,
                   int64_t max_new_tokens)
    : model_(model),
      cache_(static_cast<int64_t>(prompts.size()), model.info().layers,
             capacity(model, prompts, max_new_tokens),
             model.info().kv_heads * model.info().head_dim, model.compute_dtype(), model.device()) {
  const ModelInfo& info = model.info();
  require(info.causal, "{}: this architecture does not generate text", info.architecture);
  if (info.encoder_decoder()) source_.offsets.push_back(0);
  for (const auto& prompt : prompts) {
    Text& text = texts_.emplace_back();
    text.ids = prompt;
    text.prompt = texts_.size() - 1;
    if (info.encoder_decoder()) {
      text.ids = {info.decoder_start_id};
      source_ids_.insert(source_ids_.end(), prompt.begin(), prompt.end());
      for (size_t t = 0; t < prompt.size(); ++t)
        source_.positions.push_back(static_cast<int32_t>(t));
      source_.offsets.push_back(static_cast<int32_t>(source_ids_.size()));
    }
    text.given = text.ids.size();
  }
}

Tensor Decoding::step() {
  const NoGrad no_grad;
  if (before_pass) {
    std::vector<size_t> prompts;
    for (const Text& text : texts_) prompts.push_back(text.prompt);
    before_pass(prompts);
  }
  std::vector<int32_t> ids;
  ModelInput in;
  in.cache = &cache_;
  in.packing.offsets.push_back(0);
  for (const Text& text : texts_) {
    for (size_t t = text.read; t < text.ids.size(); ++t) {
      ids.push_back(text.ids[t]);
      in.packing.positions.push_back(text.position + static_cast<int32_t>(t - text.read));
    }
    in.packing.offsets.push_back(static_cast<int32_t>(ids.size()));
  }
  in.ids = ids;
  if (!cache_.has_source()) {
    in.source_ids = source_ids_;
    in.source = source_;
  }
  const Var h = model_.hidden(in);
  std::vector<int32_t> last;
  for (size_t d = 0; d < texts_.size(); ++d) {
    last.push_back(in.packing.offsets[d + 1] - 1);
    texts_[d].read = texts_[d].ids.size();
    // Read off, not counted: an input adapter may have moved it.
    texts_[d].position = in.packing.positions[static_cast<size_t>(last[d])] + 1;
  }
  return model_.lm_logits(gather_rows(h, last)).value().to(Device::cpu);
}

void Decoding::append(int64_t document, int32_t id) {
  texts_.at(static_cast<size_t>(document)).ids.push_back(id);
}

std::vector<int32_t> Decoding::written(int64_t document) const {
  const Text& text = at(document);
  return {text.ids.begin() + static_cast<std::ptrdiff_t>(text.given), text.ids.end()};
}

bool Decoding::full(int64_t document) const {
  return at(document).position + 1 >= model_.info().max_positions;
}

void Decoding::select(const std::vector<int64_t>& documents) {
  std::vector<Text> chosen;
  for (const int64_t d : documents) chosen.push_back(at(d));
  texts_ = std::move(chosen);
  cache_.select(documents);
}

}  // namespace lk
