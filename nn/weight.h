// What a Linear multiplies with. Dense here; quantized ones in quant/. No method of peft/ knows
// which.
#pragma once

#include <functional>
#include <memory>

#include "nn/parameter.h"

namespace lk {

class Weight {
 public:
  virtual ~Weight() = default;
  // y [T, out] = x [T, in] W^T + bias. bias: [out] or undefined.
  virtual Var apply(const Var& x, const Var& bias) const = 0;
  virtual Var apply_gelu_tanh(const Var& x, const Var& bias) const;  // gelu_tanh(y)
  virtual int64_t in_features() const = 0;
  virtual int64_t out_features() const = 0;
  // A copy as [out, in], on the CPU.
  virtual Tensor dense(DType dtype) const = 0;
  // Replaces the values by those of w [out, in], on the CPU (merging an adapter).
  virtual void assign(const Tensor& w) = 0;
  // What puts the present values back, to the bit, after assign(); it may be called while this
  // lives.
  virtual std::function<void()> snapshot() {
    return [this, values = dense(DType::f32)] { assign(values); };
  }
  virtual void visit(const ParameterVisitor& f) = 0;
  // Of each number, where the weight holds it only roughly; 0: it holds what it is given.
  virtual int rounded_bits() const { return 0; }
  // w [out, in] as this weight would hold it.
  virtual Tensor rounded(const Tensor& w) const { return w; }
  // The numbers before they were rounded, [out, in], where they can still be had; else undefined.
  virtual Tensor original(DType) const { return {}; }
};

class DenseWeight : public Weight {
 public:
  // in_out: stored [in, out], as GPT-2's Conv1D does.
  DenseWeight(const std::string& name, int64_t in, int64_t out, bool in_out)
      : in_(in),
        out_(out),
        in_out_(in_out),
        parameter_(name, in_out ? Shape{in, out} : Shape{out, in}) {}
  Var apply(const Var& x, const Var& bias) const override;
  Var apply_gelu_tanh(const Var& x, const Var& bias) const override;
  int64_t in_features() const override { return in_; }
  int64_t out_features() const override { return out_; }
  Tensor dense(DType dtype) const override;
  void assign(const Tensor& w) override;
  std::function<void()> snapshot() override {
    return [this, values = parameter_.var.value()] { parameter_.set(values); };
  }
  void visit(const ParameterVisitor& f) override { f(parameter_); }
  Parameter& parameter() { return parameter_; }
  const Parameter& parameter() const { return parameter_; }
  bool in_out() const { return in_out_; }

 private:
  int64_t in_, out_;
  bool in_out_;
  Parameter parameter_;
};

}  // namespace lk
