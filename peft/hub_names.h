// How AdapterHub calls the parts of an adapter, from the base's module names and the adapter's own.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"

namespace lk {

class HubNames {
 public:
  HubNames(Model& model, const std::string& adapter);
  // Prefixes of parameter names, ending in a dot.
  std::string attention_adapter(size_t layer) const;  // after the attention's output
  std::string output_adapter(size_t layer) const;     // after the FFN's
  std::string prefix_gate(size_t layer) const;
  std::string shared() const { return root_ + ".shared_parameters." + adapter_ + "."; }
  std::string invertible() const { return root_ + ".invertible_adapters." + adapter_ + "."; }
  std::string prompt() const { return root_ + ".prompt_tuning.prompt_tunings." + adapter_ + "."; }
  static std::string lora(const std::string& linear, const std::string& adapter) {
    return linear + ".loras." + adapter + ".";
  }
  // The prefix's tensors stand in the file once for the model and once for each layer.
  std::vector<std::string> prefixes() const;
  const std::string& adapter() const { return adapter_; }

 private:
  std::string adapter_, root_, attention_;
  std::vector<std::string> layers_;  // "bert.encoder.layer.0"
  bool encoder_style_ = false;       // BERT's modules: attention.output, output
};

}  // namespace lk
