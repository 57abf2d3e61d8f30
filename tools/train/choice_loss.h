// The losses of T-Few: Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than
// In-Context Learning (Liu et al. 2022, arXiv:2205.05638, equations 1 to 4). Of a record with the
// right answer y and wrong ones y_n:
//   L_LM = -1/T sum_t log p(y_t)
//   L_UL = -sum_n sum_t log(1 - p(y_n,t)) / sum_n T_n
//   L_LN = -log (exp beta(y) / (exp beta(y) + sum_n exp beta(y_n)))
// beta: the mean log-probability of an answer's tokens, by which answers are also ranked. The
// authors' code takes log(1 - p + 0.01), as here, and averages tokens over a batch of records where
// the equations average over each record, as here: batches of accumulation then add up to one.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/var.h"

namespace lk {

// Answers as runs of tokens, records as runs of answers.
struct ChoiceTokens {
  std::vector<int32_t> offsets;  // [D + 1] tokens of each answer, at least one
  std::vector<int32_t> records;  // [R + 1] answers of each record; the first is right
};

struct ChoiceWeights {
  double unlikelihood = 1, length_normalized = 1;  // beside 1 for L_LM
};

// log_p: [T] of the tokens. Returns the sum over records, [1].
Var choice_loss(const Var& log_p, const ChoiceTokens& tokens, const ChoiceWeights& weights);

}  // namespace lk
