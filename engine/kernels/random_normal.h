// y[i] ~ N(0, std^2) by Box-Muller from Philox words (seed, stream, i / 2): the same numbers on
// every machine to within the last bits of log and cos.
#pragma once

#include "engine/dtype.h"

namespace lk {

template <class Isa, class T>
void random_normal(Isa, T* y, int64_t n, float std, uint64_t seed, uint64_t stream);

}  // namespace lk
