// n[o] = ||W_o + s (B A)_o||, a row's length, from its parts (DoRA's norm; peft/dora.cc):
//   n^2 = ||W_o||^2 + 2 s b_o . (A W_o) + s^2 b_o A A^T b_o^T
#pragma once

#include <cstdint>

namespace lk {

// n: [out], the length or (inverse) one over it; squares: [out], ||W_o||^2; b, baa = B A A^T: [out,
// r]; wa = A W^T: [r, out]. Sums in double; lengths below 1e-12 count as that.
template <class Isa, class T>
void low_rank_norm(Isa, T* n, const double* squares, const T* b, const T* wa, const T* baa,
                   int64_t out, int64_t r, double s, bool inverse);

}  // namespace lk
