// Tiny random models of every architecture, and packed texts for them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/load.h"

namespace lk::test {

inline constexpr int32_t kVocab = 29;

// type: gpt2 (untied head), llama (grouped queries, untied head), bert (a classifier) or t5 (gated,
// untied head). Two blocks (t5: and two of its encoder), hidden size 16, a context of 48 (t5: any);
// no weight is 0 or 1, dropout is off unless `dropout` says.
std::unique_ptr<Model> tiny_model(const std::string& type, DType dtype, double dropout = 0.0);
// Those that read one text.
inline const std::vector<std::string>& tiny_types() {
  static const std::vector<std::string> types{"gpt2", "llama", "bert"};
  return types;
}

using Documents = std::vector<std::vector<int32_t>>;
Documents random_documents(const std::vector<int>& lengths, uint64_t seed);
// `first` [..] in front of every document.
Documents with_front(const std::vector<int32_t>& first, const Documents& documents);

// Documents in one row. labels: the next token (the last has none); class_labels: document mod 3.
struct Packed {
  std::vector<int32_t> ids, class_labels;
  Packing packing;
  ModelInput input() const { return {ids, packing, nullptr}; }
};
// What a model reads: an encoder-decoder the same documents with both.
ModelInput input_of(const Model& model, const Packed& batch);
Packed pack(const Documents& documents, int32_t first_position = 0);

// What a task's head makes of the last hidden states, summed over labels.
Var loss_of(Model& model, const Packed& batch);
// The hidden states without a tape; their packing (moved by input adapters) goes to `moved`.
Tensor hidden_of(Model& model, const Packed& batch, Packing* moved = nullptr);
// The next n ids of each prompt, greedily, by a whole pass for each and without a cache; an
// encoder-decoder's answer.
Documents greedy_ids(Model& model, const Documents& prompts, int64_t n);
Tensor random_tensor(const Shape& shape, DType dtype, uint64_t seed, double std = 1.0);

// The gradient of loss_of against central differences (f64): of each element of a small parameter,
// of a larger one along four directions of random signs, where a wrong element counts as much as it
// would alone. Returns the largest error over the largest gradient of its parameter.
double gradient_error(Model& model, const Packed& batch, const std::vector<Parameter*>& parameters);

// All tensors' bytes are the same.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace lk::test
