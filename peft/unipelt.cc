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

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "peft/hub_method.h"

namespace lk {

namespace {

// "prefix,adapter,lora", or some of them.
std::vector<std::string> parts_of(const Settings& s) {
  const std::string text = s.text("parts");
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    require(part == "prefix" || part == "adapter" || part == "lora",
            "{}: parts is '{}'; expected some of prefix, adapter, lora, between commas", s.source(),
            text);
    parts.push_back(part);
  }
  require(!parts.empty(), "{}: parts is empty; expected some of prefix, adapter, lora", s.source());
  return parts;
}

}  // namespace

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
        const std::vector<std::string> parts = parts_of(s);
        const auto has = [&](const char* part) {
          return std::find(parts.begin(), parts.end(), part) != parts.end();
        };
        json configs = json::array();
        if (has("prefix"))
          configs.push_back(
              hub_prefix({{"prefix_length", s.integer("prefix_length", 1, 1 << 20)},
                          {"bottleneck_size", s.integer("bottleneck_size", 1, 1 << 20)},
                          {"use_gating", true}}));
        if (has("adapter"))
          configs.push_back(
              hub_bottleneck({{"reduction_factor", s.number("reduction_factor", 1e-6, 1e6)},
                              {"use_gating", true}}));
        if (has("lora"))
          configs.push_back(hub_lora({{"r", s.integer("r", 1, 1 << 16)}, {"use_gating", true}}));
        return make_hub_method(s, {{"architecture", "union"}, {"configs", configs}});
      }};
}

}  // namespace lk
