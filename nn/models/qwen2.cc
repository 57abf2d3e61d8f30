// Qwen2 (Yang et al. 2024, arXiv:2407.10671) and Qwen2.5: Llama with biases on queries, keys and
// values, and a window in the layers from max_window_layers on where use_sliding_window is set.
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "nn/models/decoder.h"
#include "nn/models/models.h"

namespace lk {

// As `layer_types` lists them, or from max_window_layers on.
std::vector<int64_t> qwen_windows(const Config& c) {
  const auto layers = static_cast<size_t>(c.integer("num_hidden_layers", 1, 1024));
  std::vector<int64_t> windows(layers, 0);
  const bool used = c.boolean("use_sliding_window", false);
  // transformers takes 4096 where the field is absent, and no window where it is null.
  const int64_t absent = c.json().contains("sliding_window") ? 0 : 4096,
                window = c.integer("sliding_window", 1, 1 << 30, absent);
  if (!c.has("layer_types")) {
    const auto first = static_cast<size_t>(c.integer("max_window_layers", 0, 1 << 20, 28));
    for (size_t i = first; used && i < layers; ++i) windows[i] = window;
    return windows;
  }
  const auto& types = c.json()["layer_types"];
  require(types.is_array() && types.size() == layers,
          "{}: 'layer_types' is {}; expected a list of {} kinds of attention", c.file(),
          types.dump(), layers);
  for (size_t i = 0; i < layers; ++i) {
    const bool sliding = types[i] == "sliding_attention";
    require(sliding || types[i] == "full_attention",
            "{}: layer_types[{}] is {}; expected \"full_attention\" or \"sliding_attention\"",
            c.file(), i, types[i].dump());
    require(!sliding || (used && window > 0),
            "{}: layer_types[{}] is \"sliding_attention\", but use_sliding_window and "
            "sliding_window give no window",
            c.file(), i);
    if (sliding) windows[i] = window;
  }
  return windows;
}

std::unique_ptr<Model> make_qwen2(const Config& c, Task task) {
  check_fields(
      c, "qwen2",
      decoder_fields({"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"}));
  return make_decoder(c, task, {.family = "Qwen2", .qkv_bias = true, .windows = qwen_windows(c)});
}

}  // namespace lk
