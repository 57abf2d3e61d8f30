#include "peft/initial.h"

#include <cmath>

#include "engine/rng.h"

namespace lk {
namespace {

template <class Draw>
void set_all(Parameter& p, Draw draw) {
  const CategoryScope weights(Category::weights);
  const Tensor t = Tensor::empty(p.shape, DType::f32);
  for (float& x : t.span<float>()) x = static_cast<float>(draw());
  p.set(t);
}

}  // namespace

void fill(Parameter& p, double value) {
  set_all(p, [&] { return value; });
}

void fill_normal(Parameter& p, double std, uint64_t seed, uint64_t stream, double cut) {
  Random random(seed, stream);
  set_all(p, [&] {
    double x = random.normal();
    while (cut > 0 && std::abs(x) > cut) x = random.normal();
    return x * std;
  });
}

void fill_uniform(Parameter& p, double low, double high, uint64_t seed, uint64_t stream) {
  Random random(seed, stream);
  set_all(p, [&] { return low + (high - low) * random.uniform53(); });
}

void fill_linear(Parameter& p, int64_t fan_in, uint64_t seed, uint64_t stream) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  fill_uniform(p, -bound, bound, seed, stream);
}

}  // namespace lk
