#include "peft/inserted_method.h"

namespace lk {

PluggedIn::PluggedIn(Model& model)
    : blocks_(model.blocks()),
      input_(model.input_adapters()),
      embedded_(model.embedded_adapters()) {
  model.visit_linears([&](Linear& l) { linears_.push_back(l.adapters()); });
}

void PluggedIn::put_back(Model& model) const {
  model.blocks() = blocks_;
  model.input_adapters() = input_;
  model.embedded_adapters() = embedded_;
  size_t i = 0;
  model.visit_linears([&](Linear& l) { l.adapters() = linears_[i++]; });
}

void InsertedMethod::remember(Model& model) {
  require(
      !model.info().encoder_decoder(),
      "{}: methods that insert prompts, prefixes or adapters are not there for encoder-decoders "
      "yet; choose one inside linear layers (lora, ia3, adalora, ...), bitfit or full",
      model.info().architecture);
  without_ = std::make_unique<PluggedIn>(model);
}

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
