// y[i] = x[i] in another dtype, rounded to nearest even. x, y: [n], one of f32 and one of bf16.
#pragma once

#include "engine/dtype.h"

namespace lk {

template <class Isa, class Out, class In>
void convert(Isa, Out* y, const In* x, int64_t n);

}  // namespace lk
