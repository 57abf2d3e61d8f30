#include "engine/kernels/rows.h"

#include "engine/cpu.h"
#include "engine/parallel.h"

namespace lk {

template <class Isa, class Out, class In>
void gather_rows(Isa, Out* y, const In* x, const int32_t* ids, int64_t n, int64_t d) {
  using A = std::conditional_t<std::is_same_v<In, double>, double, float>;
  parallel_for(n, 1 + (1 << 14) / (d + 1), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (ids[i] < 0) {
        for (int64_t j = 0; j < d; ++j) y[i * d + j] = Out(acc_t<Out>(0));
        continue;
      }
      for (int64_t j = 0; j < d; ++j)
        y[i * d + j] = Out(static_cast<acc_t<Out>>(static_cast<A>(x[ids[i] * d + j])));
    }
  });
}

template <class Isa, class Out, class In>
void scatter_add_rows(Isa, Out* y, const In* x, const RowGroups& groups, int64_t d) {
  using A = acc_t<In>;
  const RowGroups s = groups;
  parallel_for(s.count, 1 + (1 << 13) / (d + 1), [=](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      Out* to = y + s.rows[g] * d;
      for (int32_t i = s.starts[g]; i < s.starts[g + 1]; ++i) {
        const In* from = x + s.places[i] * d;
        for (int64_t j = 0; j < d; ++j)
          to[j] = static_cast<Out>(to[j] + static_cast<Out>(static_cast<A>(from[j])));
      }
    }
  });
}

#define LK_ROWS(Out, In) \
  template void gather_rows(LK_ISA, Out*, const In*, const int32_t*, int64_t, int64_t);
LK_ROWS(float, float)
LK_ROWS(float, bf16)
LK_ROWS(float, double)
LK_ROWS(bf16, float)
LK_ROWS(bf16, bf16)
LK_ROWS(bf16, double)
LK_ROWS(double, float)
LK_ROWS(double, bf16)
LK_ROWS(double, double)

#define LK_SUMS(Out, In) \
  template void scatter_add_rows(LK_ISA, Out*, const In*, const RowGroups&, int64_t);
LK_SUMS(float, float)
LK_SUMS(float, bf16)
LK_SUMS(float, double)
LK_SUMS(double, float)
LK_SUMS(double, bf16)
LK_SUMS(double, double)

}  // namespace lk
