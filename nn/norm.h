// The two norms of transformers, with their parameters.
#pragma once

#include "autograd/ops.h"
#include "nn/parameter.h"

namespace lk {

// (x - mean) / sqrt(var + eps) * weight + bias (Ba et al. 2016).
struct LayerNorm {
  Parameter weight, bias;
  float eps = 1e-5f;
  LayerNorm() = default;
  LayerNorm(const std::string& name, int64_t dim, float epsilon)
      : weight(name + ".weight", {dim}), bias(name + ".bias", {dim}), eps(epsilon) {}
  Var operator()(const Var& x) const { return layer_norm(x, weight.var, bias.var, eps); }
  NormedSum of_sum(const Var& a, const Var& b) const {
    return add_layer_norm(a, b, weight.var, bias.var, eps);
  }
  void visit(const ParameterVisitor& f) { f(weight), f(bias); }
};

// x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019).
struct RmsNorm {
  Parameter weight;
  float eps = 1e-6f;
  RmsNorm() = default;
  RmsNorm(const std::string& name, int64_t dim, float epsilon)
      : weight(name + ".weight", {dim}), eps(epsilon) {}
  Var operator()(const Var& x) const { return rms_norm(x, weight.var, eps); }
  NormedSum of_sum(const Var& a, const Var& b) const { return add_rms_norm(a, b, weight.var, eps); }
  void visit(const ParameterVisitor& f) { f(weight); }
};

}  // namespace lk
