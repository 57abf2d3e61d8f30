// The loss of methods whose passes differ by chance: two passes over a batch, held together.
#pragma once

#include "tools/train/trainer.h"

namespace lk {

// The loss of the first pass and `weight` times the symmetric KL divergence of what both passes
// predict, summed over documents with a class or over labelled tokens. Targets are constants.
BatchLoss with_consistency(Task task, double weight);

}  // namespace lk
