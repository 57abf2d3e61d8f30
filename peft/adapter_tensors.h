// The tensors of an adapter file, each to be taken once.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "engine/files/weight_files.h"
#include "nn/parameter.h"

namespace lk {

class AdapterTensors {
 public:
  explicit AdapterTensors(const std::filesystem::path& file);
  bool has(const std::string& name) const { return tensors_.has(name); }
  // Error when it is missing, of another shape, or a float where `like` is none or the reverse.
  Tensor take(const std::string& name, const Shape& shape, DType like = DType::f32);
  // The same as the value of `p`, in p's dtype (f32 where it has none yet).
  void take(const std::string& name, Parameter& p);
  // Error for a tensor that nobody took.
  void require_all_taken() const;
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  WeightFiles tensors_;
  std::set<std::string> taken_;
};

}  // namespace lk
