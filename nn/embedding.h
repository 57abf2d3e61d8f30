// A table of vectors, one for each id.
#pragma once

#include "autograd/ops.h"
#include "nn/parameter.h"

namespace lk {

struct Embedding {
  Parameter weight;  // [count, dim]
  Embedding() = default;
  Embedding(const std::string& name, int64_t count, int64_t dim)
      : weight(name + ".weight", {count, dim}) {}
  Var operator()(std::span<const int32_t> ids, DType compute) const {
    return embedding(weight.var, ids, compute);
  }
  void visit(const ParameterVisitor& f) { f(weight); }
};

}  // namespace lk
