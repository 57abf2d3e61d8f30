#include "nn/embedding.h"

#include "autograd/ops.h"

namespace lk {
namespace {

Var apply(const Embedding& table, std::span<const int32_t> ids, DType compute, size_t adapters) {
  if (adapters == 0) return embedding(table.weight.var, ids, compute);
  return table.adapters[adapters - 1]->forward(table, ids, [&](std::span<const int32_t> inner_ids) {
    return apply(table, inner_ids, compute, adapters - 1);
  });
}

}  // namespace

Var Embedding::operator()(std::span<const int32_t> ids, DType compute) const {
  return apply(*this, ids, compute, adapters.size());
}

}  // namespace lk
