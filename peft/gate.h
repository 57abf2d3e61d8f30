// UniPELT's gate (Mao et al. 2022, section 2.3): how much of a part a text gets,
//   g = mean over the text's tokens of sigmoid(W x + b)       x [T, d], W [k, d], b [k]; g [B, k]
#pragma once

#include "nn/parameter.h"

namespace lk {

class Gate {
 public:
  Gate() = default;
  // prefix: of the parameters' names; heads: k
  Gate(const std::string& prefix, int64_t d, int64_t heads = 1);
  void initialise(uint64_t seed, uint64_t stream);  // W ~ N(0, 0.02^2), b = 0: g starts near 0.5
  // g [B, k] in the dtype of x. What passes without a tape give is noted for reports.
  Var operator()(const Var& x, std::span<const int32_t> offsets);
  void visit(const ParameterVisitor& f) { f(weight_), f(bias_); }
  const std::string& name() const { return weight_.name; }
  int64_t heads() const { return bias_.shape[0]; }
  const std::vector<float>& noted() const { return noted_; }  // [documents so far, k]

 private:
  Parameter weight_, bias_;
  std::vector<float> noted_;
};

// Rows of y [T, d] times the number of their document, g [B, 1].
Var times_document(const Var& y, const Var& g, std::span<const int32_t> offsets);

}  // namespace lk
