#include "peft/adapter_tensors.h"

namespace lk {

AdapterTensors::AdapterTensors(const std::filesystem::path& file)
    : file_(file.string()), tensors_(SafetensorsFile::open(file)) {}

Tensor AdapterTensors::take(const std::string& name, const Shape& shape, DType like) {
  require(has(name), "{}: tensor '{}' is missing; the adapter does not fit this base model", file_,
          name);
  const Tensor t = tensors_->get(name);
  require(t.shape() == shape,
          "{}: tensor '{}' is {}, but this base model and adapter_config.json ask for {}", file_,
          name, t.shape(), shape);
  require(is_float(t.dtype()) == is_float(like), "{}: tensor '{}' is {}, expected {}", file_, name,
          name_of(t.dtype()), name_of(like));
  taken_.insert(name);
  return t;
}

void AdapterTensors::take(const std::string& name, Parameter& p) {
  const CategoryScope weights(Category::weights);
  const DType wanted = p.defined() ? p.var.dtype() : DType::f32;
  p.set(take(name, p.shape, wanted).to(wanted));
}

void AdapterTensors::require_all_taken() const {
  for (const std::string& name : tensors_->names()) {
    // With bias "all", HF PEFT writes the head's bias twice more: as trained and as it was.
    const bool copy = name.find(".modules_to_save.") != std::string::npos ||
                      name.find(".original_module.") != std::string::npos;
    require(copy || taken_.count(name) > 0,
            "{}: tensor '{}' has no place in this model; the adapter belongs to another", file_,
            name);
  }
}

}  // namespace lk
