// AdapterFusion (Pfeiffer et al. 2021, arXiv:2005.00247), figure 3: one adapter in each block,
// after the FFN. In a post-norm block it reads what residual and norm make of the FFN's output h:
//   u = LN(h + r)       y = LN(r + h + W_up relu(W_down u + b_down) + b_up)
// with r the block's residual; a pre-norm block has no norm there. Trained: 2 d b + b + d in each
// block. The switches are AdapterHub's: original_ln_before (read after residual and norm, not
// before them), residual_before_ln (what the adapter adds to: h, or with false u), ln_before and
// ln_after (norms of the adapter's own).
#include "peft/pfeiffer.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo pfeiffer_info() {
  return {"pfeiffer",
          "",
          "a bottleneck adapter after each FFN",
          "Pfeiffer et al. 2021, arXiv:2005.00247",
          1e-4,
          {{"reduction-factor", "reduction_factor", "16", "hidden size over the adapter's width"},
           {"adapter-activation", "non_linearity", "\"relu\"", "of the adapter"},
           {"adapter-dropout", "dropout", "0.0", "on what the adapter adds"},
           {"original-ln-before", "original_ln_before", "true",
            "read after residual and norm of the block"},
           {"residual-before-ln", "residual_before_ln", "true",
            "add to the FFN's output itself, not to what residual and norm made of it"},
           {"ln-before", "ln_before", "false", "a norm of its own before the adapter"},
           {"ln-after", "ln_after", "false", "and after it"},
           {"inv-adapter", "inv_adapter", "\"\"",
            "nice: an invertible adapter after the embedding too"}},
          [](const Settings& s) {
            nlohmann::json changes{{"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                                   {"non_linearity", s.text("non_linearity")},
                                   {"dropout", s.number("dropout", 0, 0.99)}};
            for (const char* key :
                 {"original_ln_before", "residual_before_ln", "ln_before", "ln_after"})
              changes[key] = s.boolean(key);
            if (s.has_text("inv_adapter")) {
              changes["inv_adapter"] = s.text("inv_adapter");
              changes["inv_adapter_reduction_factor"] = 2;
            }
            return make_hub_method(s, hub_bottleneck(changes));
          }};
}

}  // namespace lk
