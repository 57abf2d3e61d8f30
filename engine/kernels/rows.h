// Rows picked by number, and sums of rows by number in a fixed order: an embedding and its
// gradient.
#pragma once

#include "engine/dtype.h"

namespace lk {

// y[i] = x[ids[i]], row by row, in y's dtype, zeros where ids[i] is -1. y: [n, d], x: [any, d],
// ids: [n].
template <class Isa, class Out, class In>
void gather_rows(Isa, Out* y, const In* x, const int32_t* ids, int64_t n, int64_t d);

// The rows of x that go to one row of y: x[places[starts[g]]], ..., x[places[starts[g + 1] - 1]]
// are added to y[rows[g]], one after the other. Rows are all different.
struct RowGroups {
  const int32_t* rows;    // [count]
  const int32_t* starts;  // [count + 1]
  const int32_t* places;  // [starts[count]]
  int64_t count;
};
// y: [any, d] of the accumulator's dtype, x: [any, d].
template <class Isa, class Out, class In>
void scatter_add_rows(Isa, Out* y, const In* x, const RowGroups& groups, int64_t d);

}  // namespace lk
