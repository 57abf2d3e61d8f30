// Reading the reference vectors of tests/oracle, and packing their padded batches.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "nn/load.h"

namespace lk::test {

// A padded batch of the reference as packed documents: padding dropped, labels shifted by one for
// language models (label [t] is the token that t predicts).
struct OracleBatch {
  std::vector<int32_t> ids, labels, class_labels;
  std::vector<size_t> places;  // of each kept token in the padded [B, S]
  Packing packing;             // without labels
  ModelInput input() const { return {ids, packing, nullptr}; }
};
// prefix: "in." or "in.3." of the vectors file.
OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix);

// Mean loss over labels, as transformers computes it.
Var mean_loss(Model& model, const OracleBatch& batch);

// The largest |a - b|, or infinity when shapes differ or anything is NaN.
double max_difference(const Tensor& a, const Tensor& b);
double max_magnitude(const Tensor& a);

}  // namespace lk::test
