// Reading the reference vectors of tests/vectors and of ../shared/oracle, and packing their padded
// batches.
#pragma once

#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "nn/load.h"

namespace lk::test {

// A padded batch of the reference as packed documents: padding dropped, labels shifted by one for
// language models (label [t] is the token that t predicts).
struct OracleBatch {
  std::vector<int32_t> ids, labels, class_labels, source_ids;
  std::vector<size_t> places;  // of each kept token in the padded [B, S] of the logits
  Packing packing;             // without labels
  Packing source;              // of an encoder-decoder
  ModelInput input() const { return {ids, packing, nullptr, source_ids, source}; }
};
// prefix: "in." or "in.3." of the vectors file.
OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix);
// As the model's task wants it: labels of tokens unshifted for token_classification and masked_lm;
// for an encoder-decoder the input is the source, and the decoder reads the labels shifted right.
OracleBatch read_batch(const SafetensorsFile& vectors, const std::string& prefix,
                       const ModelInfo& info);

// Mean loss over labels, as transformers computes it.
Var mean_loss(Model& model, const OracleBatch& batch);
// What the model's head makes of a batch: rows [T, V], [T, labels] or [B, labels].
Tensor logits_of(Model& model, const OracleBatch& batch);
// The largest |logits - out.logits| over the rows that are no padding.
double logits_error(const Tensor& logits, const Tensor& expected, const OracleBatch& batch);

// 0 where generation writes the ids [B, N] of the reference (out.greedy: 1 beam, out.beam3: 3),
// else one.
// The ids begin with the prompt, of an encoder-decoder with the start token.
double generation_error(Model& model, const OracleBatch& batch, const Tensor& expected,
                        int64_t beams);

// The largest |a - b|, or infinity when shapes differ or anything is NaN.
double max_difference(const Tensor& a, const Tensor& b);
double max_magnitude(const Tensor& a);

// One entry of index.json.
struct OracleCase {
  std::string topic, name;
  std::filesystem::path root;                   // of the index
  std::filesystem::path folder, base, vectors;  // `dir`, `base` and `vectors`
  double logits = 0, loss = 0, grad_rel = 0;    // tolerances; 0 where the index has none
  std::shared_ptr<const nlohmann::json> json;   // the whole entry
};
// ORACLE_DIR, by default ../shared/oracle.
std::filesystem::path oracle_folder();
// The cases of a topic in tests/vectors, and in oracle_folder(); where that is not there it says
// `skipped`.
std::vector<OracleCase> oracle_cases(const std::string& topic);

// A comparison within a case: what, how far off, what is allowed.
struct Comparison {
  std::string what;
  double error = 0, tolerance = 0;
  bool passed() const { return error <= tolerance; }  // false on NaN
};
// Runs `check` on every case of the topic and prints a line for each: its name, the comparison that
// comes nearest to its tolerance or goes beyond it, pass or fail; what `check` throws is a failure.
// Returns the number of failures.
int walk_oracle(const std::string& topic,
                const std::function<std::vector<Comparison>(const OracleCase&)>& check);

}  // namespace lk::test
