// QLoRA: Efficient Finetuning of Quantized LLMs (Dettmers et al. 2023, arXiv:2305.14314), eq. 5:
//   Y = X doubleDequant(c1, c2, W^NF4) + X L1 L2
// LoRA beside all linear layers of a base that is held in 4 bits and only restored, piece by piece,
// to be multiplied with. The base is quant/'s; what trains is LoRA itself, and so are the files.
#include "peft/qlora.h"

#include <algorithm>

#include "peft/lora.h"

namespace lk {

MethodInfo qlora_info() {
  MethodInfo info = lora_info();
  info.name = "qlora";
  info.summary = "LoRA beside all linear layers of a base in NF4 with double quantization";
  info.paper = "Dettmers et al. 2023, arXiv:2305.14314";
  info.default_lr = 2e-4;
  info.base_quant = "nf4";
  const auto set = [&](const std::string& key, const std::string& value) {
    const auto found = std::find_if(info.options.begin(), info.options.end(),
                                    [&](const MethodOption& o) { return o.key == key; });
    found->value = value;
  };
  set("r", "64");
  set("lora_alpha", "16");
  set("target_modules", "\"all-linear\"");
  return info;
}

}  // namespace lk
