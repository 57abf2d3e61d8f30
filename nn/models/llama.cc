// Llama: Open and Efficient Foundation Language Models (Touvron et al. 2023, arXiv:2302.13971).
// Llama 2 (arXiv:2307.09288) groups queries, Llama 3 (arXiv:2407.21783) scales the rotation.
#include "nn/models/decoder.h"
#include "nn/models/models.h"

namespace lk {

std::unique_ptr<Model> make_llama(const Config& c, Task task) {
  check_fields(c, "llama", decoder_fields({"attention_bias", "mlp_bias"}));
  const bool attention_bias = c.boolean("attention_bias", false);
  return make_decoder(c, task,
                      {.family = "Llama",
                       .qkv_bias = attention_bias,
                       .o_bias = attention_bias,
                       .mlp_bias = c.boolean("mlp_bias", false),
                       .windows = {}});
}

}  // namespace lk
