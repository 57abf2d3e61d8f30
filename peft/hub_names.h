// How AdapterHub calls the parts of an adapter, from the base's module names and the adapter's own.
#pragma once

#include <string>
#include <vector>

#include "nn/model.h"

namespace lk {

class HubNames {
 public:
  HubNames(Model& model, const std::string& adapter);
  // Prefixes of parameter names, ending in a dot. block: of model.blocks().
  std::string attention_adapter(size_t block) const;  // after the attention's output
  std::string cross_adapter(size_t block) const;      // after that of the attention to the source
  std::string output_adapter(size_t block) const;     // after the FFN's
  bool has_cross(size_t block) const { return attentions_[block].size() > 1; }
  std::string prefix_gate(size_t block, bool cross) const;
  std::string shared() const { return root_ + "shared_parameters." + adapter_ + "."; }
  std::string invertible() const {
    return embedding_root_ + "invertible_adapters." + adapter_ + ".";
  }
  std::string prompt() const { return root_ + "prompt_tuning.prompt_tunings." + adapter_ + "."; }
  static std::string lora(const std::string& linear, const std::string& adapter) {
    return linear + ".loras." + adapter + ".";
  }
  // The prefix's tensors stand in the file once for the model and once for each attention. kind:
  // self, encoder (an encoder-decoder's) or cross.
  std::vector<std::string> prefixes(const std::string& kind) const;
  const std::string& adapter() const { return adapter_; }

 private:
  enum class Style : uint8_t { decoder, bert, t5 };
  Style style_ = Style::decoder;
  std::string adapter_, root_, embedding_root_;
  std::vector<std::string> blocks_;                   // "bert.encoder.layer.0"
  std::vector<std::vector<std::string>> attentions_;  // modules of each block: self, then cross
};

}  // namespace lk
