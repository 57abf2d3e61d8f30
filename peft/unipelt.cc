// UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning (Mao et al. 2022,
// arXiv:2110.07577): prefix, adapter and LoRA at once, each behind a gate that a text opens to its
// own degree in every layer (section 2.3):
//   g_P = mean_t sigmoid(w_P x_t + b)   attention(Q, [g_P P_k; K], [g_P P_v; V])     x: layer input
//   g_A = mean_t sigmoid(w_A u_t + b)   h + g_A W_up relu(W_down u + b_down)         u: FFN output
//   g_L = mean_t sigmoid(w_L x_t + b)   W x + g_L B A x   on q and v, in place of alpha / r
// Gates start near 0.5. --gates of `evaluate` shows them. The mean is over a text's own tokens; the
// authors' code and AdapterHub count padding in. A gate reads the whole text, so on a causal model
// what follows changes what came before; in generation it reads what is read at once: the prompt,
// then each new token. Trained in each block: prefix, adapter, LoRA and 4 (d + 1).
#include "peft/unipelt.h"

#include <nlohmann/json.hpp>

#include "peft/hub_method.h"

namespace lk {

MethodInfo unipelt_info() {
  return {
      "unipelt",
      "",
      "prefix, adapter and LoRA, each behind a gate",
      "Mao et al. 2022, arXiv:2110.07577",
      5e-4,
      {{"prefix-length", "prefix_length", "10", "virtual tokens"},
       {"prefix-bottleneck", "bottleneck_size", "512", "width of the prefix's MLP"},
       {"reduction-factor", "reduction_factor", "16", "hidden size over the adapter's width"},
       {"rank", "r", "8", "rank of LoRA's A and B"},
       {"parts", "parts", "\"prefix,adapter,lora\"", "which of the three take part"}},
      [](const Settings& s) {
        using nlohmann::json;
        const std::string parts = s.text("parts");
        json configs = json::array();
        if (parts.find("prefix") != std::string::npos)
          configs.push_back(
              hub_prefix({{"prefix_length", s.integer("prefix_length", 1, 1 << 20)},
                          {"bottleneck_size", s.integer("bottleneck_size", 1, 1 << 20)},
                          {"use_gating", true}}));
        if (parts.find("adapter") != std::string::npos)
          configs.push_back(
              hub_bottleneck({{"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                              {"use_gating", true}}));
        if (parts.find("lora") != std::string::npos)
          configs.push_back(hub_lora({{"r", s.integer("r", 1, 1 << 16)}, {"use_gating", true}}));
        require(!configs.empty(), "{}: parts is '{}'; expected some of prefix, adapter, lora",
                s.source(), parts);
        return make_hub_method(s, {{"architecture", "union"}, {"configs", configs}});
      }};
}

}  // namespace lk
