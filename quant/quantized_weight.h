// A Linear's weight held in 4 or 8 bits. It is frozen: nothing of it is a parameter that trains.
#pragma once

#include <memory>

#include "nn/weight.h"
#include "quant/blockwise.h"

namespace lk {

class QuantizedWeight : public Weight {
 public:
  // w: [out, in]. in_out: whether the dense form of this layer's files is [in, out]. source: what
  // it was made from, in the files' layout, where that is a mapped file.
  QuantizedWeight(std::string name, Quantized w, bool in_out, Tensor source = {});
  Var apply(const Var& x, const Var& bias) const override;
  int64_t in_features() const override { return w_->shape[1]; }
  int64_t out_features() const override { return w_->shape[0]; }
  Tensor dense(DType dtype) const override;
  void assign(const Tensor& w) override;  // quantizes again
  std::function<void()> snapshot() override;
  void visit(const ParameterVisitor&) override {}
  int rounded_bits() const override { return bits_of(w_->spec); }
  Tensor rounded(const Tensor& w) const override;  // f32
  Tensor original(DType dtype) const override;
  const Quantized& quantized() const { return *w_; }
  const std::string& name() const { return name_; }  // of the tensor in files
  bool in_out() const { return in_out_; }

 private:
  std::string name_;
  mutable std::shared_ptr<const Quantized> w_;  // where it was last multiplied
  bool in_out_, of_source_ = true;              // of_source: nothing was assigned since
  Tensor source_;
};

}  // namespace lk
