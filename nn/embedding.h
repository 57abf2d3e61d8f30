// A table of vectors, one for each id, with its hook.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/hooks.h"
#include "nn/parameter.h"

namespace lk {

struct Embedding {
  std::string name;  // Hugging Face's module name, without ".weight"
  Parameter weight;  // [count, dim]
  std::vector<std::shared_ptr<EmbeddingAdapter>> adapters;
  Embedding() = default;
  Embedding(const std::string& module, int64_t count, int64_t dim)
      : name(module), weight(module + ".weight", {count, dim}) {}
  Var operator()(std::span<const int32_t> ids, DType compute) const;  // [T] -> [T, dim]
  void visit(const ParameterVisitor& f) { f(weight); }                // the base's own
};

}  // namespace lk
