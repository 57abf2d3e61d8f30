// Compacter: Efficient Low-Rank Hypercomplex Adapter Layers (Karimi Mahabadi et al. 2021,
// arXiv:2106.04647): Houlsby's adapters whose matrices are sums of Kronecker products (eq. 5),
//   W = sum_{i=1..n} A_i (x) (s_i t_i^T)       A_i [n, n] shared by all layers, s_i [d/n, r], t_i
//   [r, b/n]
// Trained: n^3 for the A_i, and for each matrix n r (d/n + b/n) = r (d + b), and its bias.
#include "peft/compacter.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo compacter_info() {
  return {"compacter",
          "",
          "adapters of low-rank hypercomplex products",
          "Karimi Mahabadi et al. 2021, arXiv:2106.04647",
          3e-3,
          {{"reduction-factor", "reduction_factor", "32", "hidden size over the adapter's width"},
           {"phm-dim", "phm_dim", "4", "n; divides the hidden size and the adapter's width"},
           {"phm-rank", "phm_rank", "1", "r"},
           {"adapter-activation", "non_linearity", "\"gelu\"", "of the adapter"},
           {"after-ffn-only", "after_ffn_only", "false", "one adapter a block (Compacter++)"}},
          [](const Settings& s) {
            return make_hub_method(
                s, hub_bottleneck({{"mh_adapter", !s.boolean("after_ffn_only")},
                                   {"original_ln_before", false},
                                   {"phm_layer", true},
                                   {"phm_dim", s.integer("phm_dim", 1, 4096)},
                                   {"phm_rank", s.integer("phm_rank", 1, 4096)},
                                   {"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                                   {"non_linearity", s.text("non_linearity")}}));
          }};
}

}  // namespace lk
