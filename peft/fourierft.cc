// FourierFT: Parameter-Efficient Fine-Tuning with Discrete Fourier Transform (Gao et al. 2024,
// arXiv:2405.03003), eq. 2 to 4:
//   h = W0 x + alpha Re(F^-1(S)) x     S [out, in] is c_k at n random places (u_k, v_k), 0
//   elsewhere
// Entry (p, q) of Re(F^-1(S)) is 1/(out in) Σ_k c_k cos(2π (u_k p / out + v_k q / in)), and
// cos(a + b) = cos a cos b - sin a sin b, so that ΔW is a low-rank product with fixed factors:
//   ΔW = C_u diag(c) C_v^T - S_u diag(c) S_v^T,   C_u [out, n] = cos(2π p u_k / out) and so on.
// The places come from torch.randperm under random_loc_seed, so that they are no part of the file.
// Trained: n numbers for each layer.
#include "peft/fourierft.h"

#include <array>
#include <cmath>
#include <map>
#include <numbers>

#include "autograd/ops.h"
#include "peft/device_copies.h"
#include "peft/linear_method.h"
#include "peft/torch_random.h"

namespace lk {
namespace {

// [count, places]: f(2π i k_j / count) for i < count and the frequencies k_j; transposed if asked.
template <class F>
Tensor wave(int64_t count, const std::vector<int64_t>& frequencies, bool transposed, DType dtype,
            F&& f) {
  const auto n = static_cast<int64_t>(frequencies.size());
  Tensor out = Tensor::empty(transposed ? Shape{n, count} : Shape{count, n}, DType::f64);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const int64_t phase = i * frequencies[static_cast<size_t>(j)] % count;
      out.data<double>()[transposed ? j * count + i : i * n + j] =
          f(2 * std::numbers::pi * static_cast<double>(phase) / static_cast<double>(count));
    }
  return out.to(dtype);
}

// The fixed factors; the same for all layers of a shape.
struct Waves {
  Tensor cu, su, cv, sv;  // [out, n] and [n, in]
  DeviceCopies copies;
  Waves(int64_t in, int64_t out, int64_t n, uint32_t seed, DType dtype) {
    std::vector<int64_t> u, v;
    for (const int64_t at : TorchRandom(seed).permutation(in * out, n)) {
      u.push_back(at / in);
      v.push_back(at % in);
    }
    const auto cosine = [](double a) { return std::cos(a); };
    const auto sine = [](double a) { return std::sin(a); };
    cu = wave(out, u, false, dtype, cosine);
    su = wave(out, u, false, dtype, sine);
    cv = wave(in, v, true, dtype, cosine);
    sv = wave(in, v, true, dtype, sine);
  }
};

class FourierPart : public LinearAdapter {
 public:
  FourierPart(Place& place, const Tensor& c, double scaling, std::shared_ptr<const Waves> waves)
      : c_(place.parameter("fourierft_spectrum", c)),
        waves_(std::move(waves)),
        scale_(static_cast<float>(scaling / static_cast<double>(place.in * place.out))) {}
  Var forward(const Linear& layer, const Var& x, const Inner& inner) override {
    const Device device = x.value().device();
    const auto wave = [&](const Tensor& t) { return Var(waves_->copies.of(t, device)); };
    const Waves& w = *waves_;
    if (2 * c_.shape[0] > std::min(layer.in_features(), layer.out_features())) {
      // More terms than the matrix has dimensions: making ΔW is the smaller work.
      const Var even = linear(mul_row(wave(w.cu), c_.var), wave(w.cv), {}, true),
                odd = linear(mul_row(wave(w.su), c_.var), wave(w.sv), {}, true);
      return add(inner(x), scale(linear(x, add(even, scale(odd, -1.0f))), scale_));
    }
    const Var even = linear(mul_row(linear(x, wave(w.cv)), c_.var), wave(w.cu)),
              odd = linear(mul_row(linear(x, wave(w.sv)), c_.var), wave(w.su));
    return add(inner(x), add(scale(even, scale_), scale(odd, -scale_)));
  }
  void visit(const ParameterVisitor& f) override { f(c_); }

 private:
  Parameter c_;
  std::shared_ptr<const Waves> waves_;
  float scale_;
};

class FourierFt : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const auto n = static_cast<int64_t>(
        pattern_value(settings_, "n_frequency_pattern", place.module,
                      static_cast<double>(settings_.integer("n_frequency", 1, INT32_MAX))));
    require(n >= 1 && n <= place.in * place.out, "{}: n_frequency is {}, but '{}' has {} places",
            settings_.source(), n, place.module, place.in * place.out);
    auto& waves = waves_[{place.in, place.out, n}];
    if (!waves)
      waves = std::make_shared<const Waves>(
          place.in, place.out, n,
          static_cast<uint32_t>(settings_.integer("random_loc_seed", 0, UINT32_MAX)),
          place.dtype());
    // HF PEFT starts at random where init_weights is not given.
    return std::make_shared<FourierPart>(
        place, settings_.boolean("init_weights") ? place.constant({n}, 0) : place.normal({n}, 1.0),
        settings_.number("scaling", -1e9, 1e9), waves);
  }

 private:
  std::map<std::array<int64_t, 3>, std::shared_ptr<const Waves>> waves_;  // by in, out, n
};

}  // namespace

MethodInfo fourierft_info() {
  return {
      "fourierft",
      "FOURIERFT",
      "a few frequencies of the weight's change",
      "Gao et al. 2024, arXiv:2405.03003",
      1e-2,
      with_target_options({{"frequencies", "n_frequency", "1000", "frequencies of each layer"},
                           {"scaling", "scaling", "150.0", "factor on the change"},
                           {"location-seed", "random_loc_seed", "777", "which frequencies"},
                           {"", "n_frequency_pattern", "{}", ""},
                           {"neutral-start", "init_weights", "true", "start at 0, not at random"}}),
      make_method<FourierFt>};
}

}  // namespace lk
