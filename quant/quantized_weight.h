// A Linear's weight held in 4 or 8 bits. It is frozen: nothing of it is a parameter that trains.
#pragma once

#include <memory>

#include "nn/weight.h"
#include "quant/blockwise.h"

namespace lk {

class QuantizedWeight : public Weight {
 public:
  // w: [out, in]. in_out: whether the dense form of this layer's files is [in, out].
  QuantizedWeight(std::string name, Quantized w, bool in_out);
  Var apply(const Var& x, const Var& bias) const override;
  int64_t in_features() const override { return w_->shape[1]; }
  int64_t out_features() const override { return w_->shape[0]; }
  Tensor dense(DType dtype) const override;
  void assign(const Tensor& w) override;  // quantizes again
  void visit(const ParameterVisitor&) override {}
  const Quantized& quantized() const { return *w_; }
  const std::string& name() const { return name_; }  // of the tensor in files
  bool in_out() const { return in_out_; }

 private:
  std::string name_;
  std::shared_ptr<const Quantized> w_;
  bool in_out_;
};

}  // namespace lk
