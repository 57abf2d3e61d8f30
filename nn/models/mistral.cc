// Mistral 7B (Jiang et al. 2023, arXiv:2310.06825): Llama whose tokens see the `sliding_window`
// latest tokens, themselves included; what lies further back arrives through the layers.
#include <nlohmann/json.hpp>

#include "nn/models/decoder.h"
#include "nn/models/models.h"

namespace lk {

std::unique_ptr<Model> make_mistral(const Config& c, Task task) {
  check_fields(c, "mistral", decoder_fields({"sliding_window"}));
  // transformers takes 4096 where the field is absent, and no window where it is null.
  const int64_t absent = c.json().contains("sliding_window") ? 0 : 4096,
                window = c.integer("sliding_window", 1, 1 << 30, absent);
  const auto layers = static_cast<size_t>(c.integer("num_hidden_layers", 1, 1024));
  return make_decoder(c, task,
                      {.family = "Mistral", .windows = std::vector<int64_t>(layers, window)});
}

}  // namespace lk
