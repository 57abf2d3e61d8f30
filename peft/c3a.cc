// C3A: Parameter-Efficient Fine-Tuning via Circular Convolution (Chen et al. 2024,
// arXiv:2407.19342), section 3.4:
//   h = W0 x + C x / in      C of blocks [b, b], block (m, n) circulant: C_mn[t, j] = w[m, n, (j -
//   t) mod b]
// The paper multiplies by FFT; a product with C, made anew in each step, costs as many operations
// as one more dense layer and no more than the FFT saves at these block sizes. Trained: in out / b
// for each layer.
#include "peft/c3a.h"

#include <array>
#include <cmath>
#include <map>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

using SharedPlaces = std::shared_ptr<const Places>;

// Where each element of C [out, in] stands in w [out / b, in / b, b]; sign -1: of C, 1: of C'.
SharedPlaces circulant(int64_t out, int64_t in, int64_t b, int64_t sign) {
  std::vector<int32_t> places;
  places.reserve(static_cast<size_t>(out * in));
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i)
      places.push_back(static_cast<int32_t>(((o / b) * (in / b) + i / b) * b +
                                            (i % b + sign * (o % b) + b) % b));
  return std::make_shared<const Places>(std::move(places));
}

class C3aPart : public LinearAdapter {
 public:
  // reversed: the places of C', or null for the formula's own gradient.
  C3aPart(const Place& place, const Tensor& w, SharedPlaces places, SharedPlaces reversed)
      : w_(place.parameter("c3a_kernel", w)),
        places_(std::move(places)),
        reversed_(std::move(reversed)) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const Shape shape{linear.out_features(), linear.in_features()};
    const float factor = 1.0f / static_cast<float>(linear.in_features());
    const Var c = take(w_.var, places_, shape);
    if (!reversed_ || !will_record({x})) return add(inner(x), scale(lk::linear(x, c), factor));
    const Var y = lk::linear(x.value(), c);
    const Var z = lk::linear(x, take(w_.var.value(), reversed_, shape));  // for dx alone
    return add(inner(x), scale(add(y, add(z, scale(z.value(), -1.0f))), factor));
  }
  void visit(const ParameterVisitor& f) override { f(w_); }

 private:
  Parameter w_;
  SharedPlaces places_, reversed_;
};

class C3a : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const auto b = static_cast<int64_t>(
        pattern_value(settings_, "block_size_pattern", place.module,
                      static_cast<double>(settings_.integer("block_size", 1, 1 << 20))));
    require(b >= 1 && place.in % b == 0 && place.out % b == 0,
            "{}: block_size {} divides not both dimensions of '{}', [{}, {}]", settings_.source(),
            b, place.module, place.out, place.in);
    const std::string variant = settings_.text("variant");
    require(variant == "original" || variant == "hf",
            "{}: 'variant' is '{}'; expected original or hf", settings_.source(), variant);
    const auto places = [&](int64_t sign) {
      SharedPlaces& kept = places_[{place.out, place.in, b, sign}];
      if (!kept) kept = circulant(place.out, place.in, b, sign);
      return kept;
    };
    return std::make_shared<C3aPart>(place, start(place, {place.out / b, place.in / b, b}),
                                     places(-1), variant == "hf" ? places(1) : nullptr);
  }

 private:
  Tensor start(Place& place, const Shape& shape) const {
    const std::string kind = settings_.is_text("init_weights") ? settings_.text("init_weights")
                             : starts_neutral(settings_)       ? "zero"
                                                               : "xavier_uniform";
    const auto in = static_cast<double>(place.in), out = static_cast<double>(place.out);
    if (kind == "zero") return place.constant(shape, 0);
    if (kind == "gaussian") return place.normal(shape, 1.0);
    if (kind == "xavier_uniform") return place.uniform(shape, std::sqrt(6.0 / (in + out)));
    if (kind == "kaiming_uniform") return place.uniform(shape, std::sqrt(1.0 / in));
    fail(
        "{}: init_weights is '{}'; expected true, false, gaussian, xavier_uniform or "
        "kaiming_uniform",
        settings_.source(), kind);
  }
  std::map<std::array<int64_t, 4>, SharedPlaces> places_;  // by out, in, b, sign
};

}  // namespace

MethodInfo c3a_info() {
  return {"c3a",
          "C3A",
          "a block-circulant change of the weight",
          "Chen et al. 2024, arXiv:2407.19342",
          1e-1,
          with_target_options(
              {{"block-size", "block_size", "256", "divides all dimensions"},
               {"", "block_size_pattern", "{}", ""},
               {"init", "init_weights", "\"xavier_uniform\"",
                "true (zeros), gaussian, xavier_uniform or kaiming_uniform"},
               {"", "variant", "\"original\"", "whose gradient: original or hf", "\"hf\""}}),
          make_method<C3a>};
}

}  // namespace lk
