#include "nn/rope.h"

#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace lk {
namespace {

// Llama 3.1: long wavelengths are divided by `factor`, short ones kept, those between blended.
void scale_llama3(std::vector<float>& inv_freq, const Config& scaling) {
  const double factor = scaling.number("factor", 1.0, 1e6, 8.0),
               low = scaling.number("low_freq_factor", 1e-3, 1e6, 1.0),
               high = scaling.number("high_freq_factor", 1e-3, 1e6, 4.0),
               original = static_cast<double>(
                   scaling.integer("original_max_position_embeddings", 1, 1 << 30));
  for (float& f : inv_freq) {
    const double wavelength = 2 * std::numbers::pi / f;
    if (wavelength > original / low) {
      f = static_cast<float>(f / factor);
    } else if (wavelength >= original / high) {
      const double smooth = (original / wavelength - low) / (high - low);
      f = static_cast<float>((1 - smooth) * f / factor + smooth * f);
    }
  }
}

}  // namespace

Rope make_rope(const Config& config, int64_t head_dim) {
  Rope rope;
  const double theta = config.number("rope_theta", 1.0, 1e12, 10000.0);
  for (int64_t i = 0; i < head_dim / 2; ++i)
    rope.inv_freq.push_back(static_cast<float>(
        1.0 / std::pow(theta, static_cast<double>(2 * i) / static_cast<double>(head_dim))));
  if (!config.has("rope_scaling")) return rope;
  const Config scaling = config.object("rope_scaling");
  const std::string kind = scaling.string("rope_type", scaling.string("type", "default"));
  if (kind == "default") return rope;
  require(scaling.has("factor"), "{}: the field 'factor' is missing; expected a number from 1",
          scaling.file());
  if (kind == "linear") {
    const auto factor = static_cast<float>(scaling.number("factor", 1.0, 1e6, 1.0));
    for (float& f : rope.inv_freq) f /= factor;
  } else if (kind == "llama3") {
    scale_llama3(rope.inv_freq, scaling);
  } else {
    fail("{}: rope_type '{}' is not supported (supported: default, linear, llama3)", scaling.file(),
         kind);
  }
  return rope;
}

}  // namespace lk
