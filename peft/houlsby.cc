// Parameter-Efficient Transfer Learning for NLP (Houlsby et al. 2019, arXiv:1902.00751), figure 2:
// two adapters in each block, after the attention's output projection and after the FFN, each
// before the residual is added:
//   A(h) = h + W_up gelu(W_down h + b_down) + b_up      W_down [b, d], W_up [d, b], b = d /
//   reduction x = LN(x + A(sublayer(x)))                                     (a post-norm block)
// Weights start at a truncated N(0, 0.001^2) as the authors' code has it (the paper says 0.01), so
// A begins near the identity. Every layer norm of the base trains too ("train_norms"; AdapterHub
// leaves them frozen and takes swish). Trained: 2 (2 d b + b + d) + norms in each block.
#include "peft/houlsby.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo houlsby_info() {
  return {"houlsby",
          "",
          "two bottleneck adapters in each block",
          "Houlsby et al. 2019, arXiv:1902.00751",
          3e-4,
          {{"reduction-factor", "reduction_factor", "16", "hidden size over the adapter's width"},
           {"adapter-activation", "non_linearity", "\"gelu_new\"",
            "of the adapter: gelu_new (the "
            "authors), swish (AdapterHub), relu, gelu, tanh"},
           {"adapter-init-std", "init_std", "0.001", "of the first weights, cut at two of it"},
           {"adapter-dropout", "dropout", "0.0", "on what the adapter adds"},
           {"train-norms", "train_norms", "true", "train the base's norms too"},
           {"", "init_weights", "\"houlsby\"", ""}},
          [](const Settings& s) {
            return make_hub_method(
                s, hub_bottleneck({{"mh_adapter", true},
                                   {"output_adapter", true},
                                   {"original_ln_before", false},
                                   {"init_weights", s.text("init_weights")},
                                   {"init_std", s.number("init_std", 0, 10)},
                                   {"dropout", s.number("dropout", 0, 0.99)},
                                   {"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                                   {"non_linearity", s.text("non_linearity")}}));
          }};
}

}  // namespace lk
