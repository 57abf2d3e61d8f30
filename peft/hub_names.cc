#include "peft/hub_names.h"

#include "engine/error.h"

namespace lk {

HubNames::HubNames(Model& model, const std::string& adapter) : adapter_(adapter) {
  layers_.resize(model.blocks().size());
  model.visit_linears([&](Linear& l) {
    if (l.layer() < 0) return;
    const std::string number = "." + std::to_string(l.layer()) + ".";
    const std::string& name = l.name();
    const size_t end = name.find(number) + number.size() - 1;
    layers_[static_cast<size_t>(l.layer())] = name.substr(0, end);
    root_ = name.substr(0, name.find('.'));
    if (l.role() != Role::k && l.role() != Role::qkv) return;
    const size_t last = name.rfind('.');
    attention_ = name.substr(end + 1, last - end - 1);
  });
  const std::string& type = model.info().model_type;
  require(type != "t5",
          "AdapterHub's names for t5 are not known here yet; use another method, such as lora");
  encoder_style_ = type == "bert" || type == "roberta";
}

std::string HubNames::attention_adapter(size_t layer) const {
  return layers_[layer] +
         (encoder_style_ ? ".attention.output.adapters." : ".attention_adapters.adapters.") +
         adapter_ + ".";
}

std::string HubNames::output_adapter(size_t layer) const {
  return layers_[layer] + (encoder_style_ ? ".output.adapters." : ".output_adapters.adapters.") +
         adapter_ + ".";
}

std::string HubNames::prefix_gate(size_t layer) const {
  return layers_[layer] + "." + attention_ + ".prefix_tuning.prefix_gates." + adapter_ + ".";
}

std::vector<std::string> HubNames::prefixes() const {
  const std::string end = "prefix_tunings." + adapter_ + ".self_prefix.";
  std::vector<std::string> out{root_ + ".prefix_tuning." + end};
  for (const std::string& layer : layers_)
    out.push_back(layer + "." + attention_ + ".prefix_tuning.pool." + end);
  return out;
}

}  // namespace lk
