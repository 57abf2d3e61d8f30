#include "nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "engine/error.h"
#include "nn/config_fields.h"

namespace lk {
namespace {

constexpr int64_t kMostPositions = 1 << 30;
constexpr double kMostFactor = 1e6;

// theta^(-2i / D) (Su et al. 2021, arXiv:2104.09864, eq. 15).
std::vector<float> plain_frequencies(double theta, int64_t head_dim) {
  std::vector<float> out;
  for (int64_t i = 0; i < head_dim / 2; ++i)
    out.push_back(static_cast<float>(
        1.0 / std::pow(theta, static_cast<double>(2 * i) / static_cast<double>(head_dim))));
  return out;
}

// Llama 3.1: long wavelengths are divided by `factor`, short ones kept, those between blended.
void scale_llama3(std::vector<float>& inv_freq, const Config& scaling) {
  const double factor = scaling.number("factor", 1.0, kMostFactor, 8.0),
               low = scaling.number("low_freq_factor", 1e-3, 1e6, 1.0),
               high = scaling.number("high_freq_factor", 1e-3, 1e6, 4.0),
               original = static_cast<double>(
                   scaling.integer("original_max_position_embeddings", 1, kMostPositions));
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

// YaRN (Peng et al. 2023, arXiv:2309.00071, eq. 18-22): dimensions that turn more than beta_fast
// times in the trained context keep their frequency, those that turn less than beta_slow times are
// divided by `factor`, those between blended; cos and sin grow by 0.1 ln(factor) + 1.
void scale_yarn(Rope& rope, const Config& scaling, int64_t head_dim) {
  const double factor = scaling.number("factor", 1.0, kMostFactor, 1.0),
               fast = scaling.number("beta_fast", 1e-3, 1e6, 32.0),
               slow = scaling.number("beta_slow", 1e-3, 1e6, 1.0),
               mscale = scaling.number("mscale", 0, 1e6, 0),
               mscale_all_dim = scaling.number("mscale_all_dim", 0, 1e6, 0);
  const int64_t original =
      scaling.integer("original_max_position_embeddings", 1, kMostPositions, rope.max_positions);
  const auto d = static_cast<double>(head_dim);
  const auto dimension_of = [&](double turns) {
    return d * std::log(static_cast<double>(original) / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = dimension_of(fast), high = dimension_of(slow);
  if (scaling.boolean("truncate", true)) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, d - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < rope.inv_freq.size(); ++i) {
    const double slowed = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const auto f = static_cast<double>(rope.inv_freq[i]);
    rope.inv_freq[i] = static_cast<float>(f / factor * slowed + f * (1 - slowed));
  }
  const auto growth = [&](double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1; };
  const double inferred =
      mscale > 0 && mscale_all_dim > 0 ? growth(mscale) / growth(mscale_all_dim) : growth(1.0);
  rope.attention_factor =
      static_cast<float>(scaling.number("attention_factor", 1e-3, 1e3, inferred));
  rope.max_positions =
      std::max(rope.max_positions, static_cast<int64_t>(static_cast<double>(original) * factor));
}

}  // namespace

// NTK-aware scaling, dynamic (Peng et al. 2023, section 3.3 and appendix B.2).
std::vector<float> Rope::frequencies(int64_t length) const {
  if (trained == 0 || length <= trained) return inv_freq;
  const auto d = static_cast<double>(2 * inv_freq.size());
  const double stretch =
      factor * static_cast<double>(length) / static_cast<double>(trained) - (factor - 1);
  return plain_frequencies(theta * std::pow(stretch, d / (d - 2)), static_cast<int64_t>(d));
}

Rope make_rope(const Config& config, int64_t head_dim, int64_t max_positions) {
  Rope rope;
  rope.theta = config.number("rope_theta", 1.0, 1e12, 10000.0);
  rope.max_positions = max_positions;
  rope.inv_freq = plain_frequencies(rope.theta, head_dim);
  if (!config.has("rope_scaling")) return rope;
  const Config scaling = config.object("rope_scaling");
  const std::string kind = scaling.string("rope_type", scaling.string("type", "default"));
  ConfigFields fields{.read = {"rope_type", "type", "factor"}, .only = {}, .neutral = {}};
  const auto check = [&](const std::vector<std::string>& read) {
    fields.read.insert(fields.read.end(), read.begin(), read.end());
    check_fields(scaling, "rope_type '" + kind + "'", fields);
  };
  if (kind == "default") return rope;
  static const std::set<std::string> kinds{"linear", "dynamic", "yarn", "llama3"};
  require(kinds.count(kind) > 0,
          "{}: rope_type '{}' is not supported (supported: default, linear, dynamic, yarn, llama3)",
          scaling.file(), kind);
  require(scaling.has("factor"), "{}: the field 'factor' is missing; expected a number from 1",
          scaling.file());
  if (kind == "linear") {
    check({});
    const auto factor = static_cast<float>(scaling.number("factor", 1.0, kMostFactor, 1.0));
    for (float& f : rope.inv_freq) f /= factor;
  } else if (kind == "dynamic") {
    fields.neutral = {"original_max_position_embeddings"};
    check({});
    require(head_dim > 2, "{}: rope_type 'dynamic' needs a head_dim above 2", scaling.file());
    rope.factor = scaling.number("factor", 1.0, kMostFactor, 1.0);
    rope.trained = max_positions;
    rope.max_positions = static_cast<int64_t>(static_cast<double>(max_positions) * rope.factor);
  } else if (kind == "yarn") {
    check({"attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
           "original_max_position_embeddings", "truncate"});
    scale_yarn(rope, scaling, head_dim);
  } else {
    check({"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"});
    scale_llama3(rope.inv_freq, scaling);
  }
  return rope;
}

}  // namespace lk
