#include "peft/inserted_method.h"

namespace lk {

void InsertedMethod::remember(Model& model) { without_ = std::make_unique<PluggedIn>(model); }

void InsertedMethod::match_precision(const Model& model) {
  if (model.compute_dtype() != DType::f64) return;
  visit([](Parameter& p) { p.set(p.var.value().to(DType::f64)); });
}

void InsertedMethod::set_enabled(Model& model, bool on) {
  invariant(without_ != nullptr, "a method was switched before it was attached");
  if (on == (with_ == nullptr)) return;
  if (on) {
    with_->put_back(model);
    with_.reset();
  } else {
    with_ = std::make_unique<PluggedIn>(model);
    without_->put_back(model);
  }
}

}  // namespace lk
