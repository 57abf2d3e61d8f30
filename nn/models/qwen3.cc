// Qwen3 (Yang et al. 2025, arXiv:2505.09388): Llama that normalises every head of q and k before
// the rotation; biases are gone again, windows are as in Qwen2.
//   q = rope(n(W_q x)), k = rope(n(W_k x))        n = RMSNorm over a head
#include "nn/models/decoder.h"
#include "nn/models/models.h"

namespace lk {

std::unique_ptr<Model> make_qwen3(const Config& c, Task task) {
  check_fields(c, "qwen3",
               decoder_fields({"attention_bias", "use_sliding_window", "sliding_window",
                               "max_window_layers", "layer_types"}));
  const bool bias = c.boolean("attention_bias", false);
  return make_decoder(c, task,
                      {.family = "Qwen3",
                       .qkv_bias = bias,
                       .o_bias = bias,
                       .qk_norm = true,
                       .windows = qwen_windows(c),
                       .head_dim = 128});
}

}  // namespace lk
