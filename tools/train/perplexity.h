// The mean loss of a language model over examples.
#pragma once

#include <vector>

#include "data/batch.h"
#include "nn/model.h"

namespace lk {

struct LossReport {
  double loss = 0;  // mean over labels; perplexity is exp(loss)
  int64_t labels = 0;
};
LossReport evaluate_loss(Model& model, const std::vector<Example>& examples,
                         int64_t tokens_per_batch = 4096);

}  // namespace lk
