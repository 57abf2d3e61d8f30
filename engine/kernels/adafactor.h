// The parts of Adafactor's update (Shazeer and Stern 2018, Algorithm 4): a matrix keeps the mean of
// its squared gradient by row and by column, anything else that of each element. b = beta2, e =
// 1e-30.
#pragma once

#include <cstdint>

namespace lk {

// r[i] = b r[i] + (1 - b) mean over j of (g[i, j]^2 + e), and c[j] the same over i. g: [rows,
// cols].
template <class Isa, class A>
void adafactor_means(Isa, float* r, float* c, const A* g, int64_t rows, int64_t cols, double beta2);
// u[i, j] = g[i, j] / sqrt(r[i] / r_mean) / sqrt(c[j]); r_mean: the mean of r.
template <class Isa, class A>
void adafactor_factored(Isa, double* u, const A* g, const float* r, const float* c, double r_mean,
                        int64_t rows, int64_t cols);
// s = b s + (1 - b) (g^2 + e);  u = g / sqrt(s). All [n].
template <class Isa, class A>
void adafactor_whole(Isa, double* u, float* s, const A* g, int64_t n, double beta2);
// p = keep p - rate u. All [n].
template <class Isa, class A>
void adafactor_apply(Isa, A* p, const double* u, int64_t n, double keep, double rate);

}  // namespace lk
