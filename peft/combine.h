// Several LoRA parts of one layer as one, the ways of HF PEFT's add_weighted_adapter.
#pragma once

#include <string>
#include <vector>

#include "engine/rng.h"
#include "engine/tensor.h"

namespace lk {

struct CombineOptions {
  // linear, ties, dare_linear, dare_ties and magnitude_prune act on A and on B; with "_svd" behind
  // it (linear's is plain "svd") on B A, which is split again; cat puts the ranks side by side.
  std::string type = "svd";
  double density = 0;                   // the share of values that pruning keeps, (0, 1]
  std::string majority_sign = "total";  // of ties: by the sum of values, or "frequency" of signs
  int64_t rank = 0;                     // of the result of an svd; 0: the largest of the parts
  uint64_t seed = 0;                    // of dare
};
const std::vector<std::string>& combination_types();
// Error for a type, density or sign that is not there, or a density where nothing is pruned.
void check(const CombineOptions& options);

// What the types make of tensors t_i of one shape and weights w_i (f32):
//   linear            sum w_i t_i                                     (task arithmetic)
//   magnitude_prune   sum w_i top(t_i), the density of largest magnitudes kept, the rest 0
//   dare_linear       sum w_i m_i t_i / density, m_i ~ Bernoulli(density) for each value
//   ties              mean of w_i top(t_i) over those i whose sign is that of the majority
//   dare_ties         the same after dare's pruning
Tensor combine_tensors(const std::vector<Tensor>& tensors, const std::vector<double>& weights,
                       const CombineOptions& options, Random& random);

struct LowRank {
  Tensor a, b;  // [r, in], [out, r]: it adds scale B A to a layer
  double scale = 1;
};
// The sum of weights[i] scale_i B_i A_i, or what the type puts in its place: A and B of this rank
// and scale 1. Error where the rank does not fit.
LowRank combine(const std::vector<LowRank>& parts, const std::vector<double>& weights,
                const CombineOptions& options, int64_t rank, Random& random);

}  // namespace lk
