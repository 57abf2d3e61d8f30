// Towards a Unified View of Parameter-Efficient Transfer Learning (He et al. 2022,
// arXiv:2110.04366), section 3.3: an adapter beside the FFN instead of behind it, its share scaled:
//   h = FFN(x) + s (W_up relu(W_down x + b_down) + b_up)             s a number, or learnt from 1
// W_down starts as torch starts Linear, W_up and the biases at zero: training starts from the base.
// In a pre-norm block x is what the FFN reads ("sublayer", the authors') or the stream before the
// norm ("residual", AdapterHub). Trained: 2 d b + b + d in each block, b = d / reduction.
#include "peft/parallel.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo parallel_info() {
  return {"parallel",
          "",
          "a scaled bottleneck adapter beside each FFN",
          "He et al. 2022, arXiv:2110.04366",
          1e-4,
          {{"reduction-factor", "reduction_factor", "2", "hidden size over the adapter's width"},
           {"adapter-scaling", "scaling", "4.0", "s: a number, learned, or channel"},
           {"adapter-activation", "non_linearity", "\"relu\"", "of the adapter"},
           {"adapter-dropout", "dropout", "0.0", "on what the adapter adds"},
           {"parallel-input", "parallel_input", "\"sublayer\"",
            "in pre-norm blocks: what the FFN reads (sublayer) or the stream (residual)"}},
          [](const Settings& s) {
            return make_hub_method(
                s, hub_bottleneck({{"is_parallel", true},
                                   {"original_ln_before", false},
                                   {"init_weights", "mam_adapter"},
                                   {"scaling", s.json()["scaling"]},
                                   {"parallel_input", s.text("parallel_input")},
                                   {"dropout", s.number("dropout", 0, 0.99)},
                                   {"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                                   {"non_linearity", s.text("non_linearity")}}));
          }};
}

}  // namespace lk
