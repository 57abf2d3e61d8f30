// The small matrix product that attention is made of, on panels in the accumulator type.
#pragma once

#include <cstdint>

#include "engine/kernels/vector.h"

namespace lk {

// C [R, NV vectors] += A [R, k] B [k, NV vectors]. A(r, l) is a[r * ars + l * acs].
template <class Isa, class A, int R, int NV>
[[gnu::always_inline]] inline void tile(A* c, int64_t ldc, const A* a, int64_t ars, int64_t acs,
                                        const A* b, int64_t ldb, int64_t k) {
  using V = typename Vector<Isa, A>::type;
  constexpr int64_t L = Vector<Isa, A>::lanes;
  V acc[R][NV];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n) acc[r][n] = *reinterpret_cast<const V*>(c + r * ldc + n * L);
  for (int64_t l = 0; l < k; ++l) {
    V bv[NV];
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n) bv[n] = *reinterpret_cast<const V*>(b + l * ldb + n * L);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const A av = a[r * ars + l * acs];
#pragma GCC unroll 8
      for (int n = 0; n < NV; ++n) acc[r][n] += av * bv[n];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < NV; ++n) *reinterpret_cast<V*>(c + r * ldc + n * L) = acc[r][n];
}

template <class Isa, class A, int NV>
[[gnu::always_inline]] inline void tile_rows(A* c, int64_t ldc, const A* a, int64_t ars,
                                             int64_t acs, const A* b, int64_t ldb, int64_t m,
                                             int64_t k) {
  constexpr int R = 4;
  int64_t i = 0;
  for (; i + R <= m; i += R)
    tile<Isa, A, R, NV>(c + i * ldc, ldc, a + i * ars, ars, acs, b, ldb, k);
  for (; i < m; ++i) tile<Isa, A, 1, NV>(c + i * ldc, ldc, a + i * ars, ars, acs, b, ldb, k);
}

// C [m, n] += A [m, k] B [k, n]; n a multiple of the vector's lanes.
template <class Isa, class A>
[[gnu::noinline]] void add_product(A* c, int64_t ldc, const A* a, int64_t ars, int64_t acs,
                                   const A* b, int64_t ldb, int64_t m, int64_t n, int64_t k) {
  constexpr int64_t L = Vector<Isa, A>::lanes;
  int64_t j = 0;
  for (; j + 4 * L <= n; j += 4 * L)
    tile_rows<Isa, A, 4>(c + j, ldc, a, ars, acs, b + j, ldb, m, k);
  for (; j + 2 * L <= n; j += 2 * L)
    tile_rows<Isa, A, 2>(c + j, ldc, a, ars, acs, b + j, ldb, m, k);
  for (; j < n; j += L) tile_rows<Isa, A, 1>(c + j, ldc, a, ars, acs, b + j, ldb, m, k);
}

}  // namespace lk
