// The Mix-And-Match adapter of He et al. (2022, arXiv:2110.04366), section 4.6: a short prefix in
// the attention, where few parameters do best there, and a wide scaled parallel adapter beside the
// FFN (peft/prefix.cc, peft/parallel.cc):
//   attention(Q, [P_k; K], [P_v; V])        FFN(x) + s (W_up relu(W_down x + b_down) + b_up)
// Paper: P = 30, an MLP of 800 for the prefix, b = 512 = d / 2, s = 4; for GLUE P = 16, b = 16, s
// = 2.
#include "peft/mam.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo mam_info() {
  return {"mam",
          "",
          "a prefix in attention and a scaled parallel adapter in the FFN",
          "He et al. 2022, arXiv:2110.04366",
          1e-4,
          {{"prefix-length", "prefix_length", "30", "virtual tokens"},
           {"prefix-bottleneck", "bottleneck_size", "800", "width of the prefix's MLP"},
           {"reduction-factor", "reduction_factor", "2", "hidden size over the adapter's width"},
           {"adapter-scaling", "scaling", "4.0", "s: a number, learned, or channel"},
           {"parallel-input", "parallel_input", "\"sublayer\"",
            "in pre-norm blocks: what the FFN reads (sublayer) or the stream (residual)"}},
          [](const Settings& s) {
            using nlohmann::json;
            const json prefix =
                hub_prefix({{"prefix_length", s.integer("prefix_length", 1, 1 << 20)},
                            {"bottleneck_size", s.integer("bottleneck_size", 1, 1 << 20)}});
            const json adapter =
                hub_bottleneck({{"is_parallel", true},
                                {"original_ln_before", false},
                                {"init_weights", "mam_adapter"},
                                {"scaling", s.json()["scaling"]},
                                {"parallel_input", s.text("parallel_input")},
                                {"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)}});
            return make_hub_method(
                s, {{"architecture", "union"}, {"configs", json::array({prefix, adapter})}});
          }};
}

}  // namespace lk
