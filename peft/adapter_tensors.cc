#include "peft/adapter_tensors.h"

namespace lk {
namespace {

// Copies beside a head that trains; other writers than HF PEFT may leave them out.
bool is_copy(const std::string& name) {
  return name.find(".modules_to_save.") != std::string::npos ||
         name.find(".original_module.") != std::string::npos;
}

}  // namespace

AdapterTensors::AdapterTensors(const std::filesystem::path& file)
    : file_(file.string()), tensors_(WeightFiles::open(file)) {}

Tensor AdapterTensors::take(const std::string& name, const Shape& shape, DType like) {
  require(has(name), "{}: tensor '{}' is missing; the adapter does not fit this base model", file_,
          name);
  Tensor t = tensors_.get(name);
  require(t.shape() == shape,
          "{}: tensor '{}' is {}, but this base model and adapter_config.json ask for {}", file_,
          name, t.shape(), shape);
  require(is_float(t.dtype()) == is_float(like), "{}: tensor '{}' is {}, expected {}", file_, name,
          name_of(t.dtype()), name_of(like));
  taken_.insert(name);
  return t;
}

void AdapterTensors::take(const std::string& name, Parameter& p) {
  if (is_copy(name) && !has(name)) return;
  const CategoryScope weights(Category::weights);
  const DType wanted = p.defined() ? p.var.dtype() : DType::f32;
  p.set(take(name, p.shape, wanted).to(wanted));
}

void AdapterTensors::require_all_taken() const {
  for (const std::string& name : tensors_.names()) {
    require(is_copy(name) || taken_.count(name) > 0,
            "{}: tensor '{}' has no place in this model; the adapter belongs to another", file_,
            name);
  }
}

}  // namespace lk
