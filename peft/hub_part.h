// The parts that AdapterHub's configurations are made of: bottleneck adapters, prefix tuning, LoRA
// (and (IA)3), prompt tuning; a "union" holds several.
#pragma once

#include <memory>

#include "engine/files/safetensors.h"
#include "peft/adapter_tensors.h"
#include "peft/gate.h"
#include "peft/hub_names.h"
#include "peft/settings.h"

namespace lk {

class HubPart {
 public:
  virtual ~HubPart() = default;
  virtual void attach(Model& model, const HubNames& names, uint64_t seed) = 0;
  virtual void visit(const ParameterVisitor& f) = 0;
  // As the file has it: by default the parameters under their names.
  virtual void write(std::vector<NamedTensor>& file);
  virtual void read(AdapterTensors& file);
  // Into the base's weights; Error where that is impossible.
  virtual void merge() = 0;
  // The base's weights as they were, to the bit.
  virtual void unmerge() { fail("this part was not merged"); }
  // The gates, where there are some.
  using GateVisitor = std::function<void(const std::string& part, const Gate& gate)>;
  virtual void visit_gates(const GateVisitor& /*f*/) {}
};

// By "architecture": none or "bottleneck", "prefix_tuning", "lora", "prompt_tuning"; Error for
// others.
std::unique_ptr<HubPart> make_hub_part(const Settings& config);
std::unique_ptr<HubPart> make_hub_lora(const Settings& config);

}  // namespace lk
