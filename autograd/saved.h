// What an op keeps of an activation for its backward pass: the value itself, or, where the run asks
// for it, the value in fewer bits. Gradients are then those of nearby activations: the forward pass
// is exact (Chen et al. 2021, arXiv:2104.14129; here with rounding to nearest).
//   bf16   8 bits of mantissa
//   int8   blocks of 64 numbers: round(127 x / absmax) and absmax, 8.5 bits a number
#pragma once

#include <memory>
#include <string>

#include "autograd/var.h"

namespace lk {

enum class ActivationStorage : uint8_t { compute, bf16, int8 };  // compute: the compute dtype
std::string_view name_of(ActivationStorage storage);             // "int8"
ActivationStorage activation_storage_from_name(const std::string& name);

// While it lives, what this thread's ops save is stored so.
class StoreActivations {
 public:
  explicit StoreActivations(ActivationStorage storage);
  ~StoreActivations();
  StoreActivations(const StoreActivations&) = delete;
  StoreActivations& operator=(const StoreActivations&) = delete;

 private:
  ActivationStorage previous_;
};

class Saved {
 public:
  Saved() = default;  // nothing
  // Parameters and constants are kept as they are: somebody else holds them anyway. Ops that save
  // the same activation share what is stored of it.
  explicit Saved(const Var& x);
  static Saved result(const Tensor& y);  // of the op that is being recorded
  bool defined() const { return stored_ != nullptr; }
  Tensor get() const;  // in the shape and dtype of x; undefined when there is nothing

 private:
  std::shared_ptr<const SavedBits> stored_;
};

}  // namespace lk
