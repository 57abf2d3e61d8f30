// Of many gradients at once, as clipping takes them: on a GPU by one launch for each 64 of them.
#pragma once

#include <cstdint>

namespace lk {

template <class A>
struct Gradient {  // [n]; A: f32 or f64
  A* g;
  int64_t n;
};

// total = the sum of all squares, in double, by a fixed tree.
template <class Isa, class A>
void gradients_square_sum(Isa, double* total, const Gradient<A>* gradients, int64_t count);
// Every g *= factor.
template <class Isa, class A>
void gradients_scale(Isa, const Gradient<A>* gradients, int64_t count, A factor);

}  // namespace lk
