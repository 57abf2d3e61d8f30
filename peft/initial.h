// Initial values of what methods add, the same on every machine. stream: one for each parameter.
#pragma once

#include "nn/parameter.h"

namespace lk {

void fill(Parameter& p, double value);
// N(0, std^2); `cut` > 0 draws again what lies beyond cut standard deviations.
void fill_normal(Parameter& p, double std, uint64_t seed, uint64_t stream, double cut = 0);
// U(low, high)
void fill_uniform(Parameter& p, double low, double high, uint64_t seed, uint64_t stream);
// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): torch's default for Linear, weight and bias.
void fill_linear(Parameter& p, int64_t fan_in, uint64_t seed, uint64_t stream);

}  // namespace lk
