// SHiRA: Rapid Switching and Multi-Adapter Fusion via Sparse High Rank Adapters (Bhardwaj et al.
// 2024, arXiv:2406.13175), section 3:
//   h = (W0 + S) x      S [out, in] is sparse: r (in + out) values at fixed random places, from 0
// The file holds the places. Trained: r (in + out) for each layer.
#include "peft/shira.h"

#include <set>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

// [2, count]: rows and columns of so many different places, in row-major order (Floyd's sampling).
Tensor random_places(Place& place, int64_t count) {
  std::set<int64_t> chosen;
  const int64_t all = place.in * place.out;
  for (int64_t j = all - count; j < all; ++j) {
    const int64_t at = static_cast<int64_t>(place.random.below(static_cast<uint32_t>(j + 1)));
    if (!chosen.insert(at).second) chosen.insert(j);
  }
  Tensor out = Tensor::empty({2, count}, DType::i32);
  int32_t* to = out.data<int32_t>();
  for (const int64_t at : chosen) {
    to[0] = static_cast<int32_t>(at / place.in);
    to[count] = static_cast<int32_t>(at % place.in);
    ++to;
  }
  return out;
}

class ShiraPart : public LinearAdapter {
 public:
  ShiraPart(Place& place, int64_t count, bool neutral)
      : values_(place.parameter("shira_weight",
                                neutral ? place.constant({count}, 0) : place.normal({count}, 1.0))),
        places_(place.parameter("shira_indices", random_places(place, count))) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const Tensor& places = places_.var.value();
    if (!ordered_ || ordered_of_.raw() != places.raw()) {  // at first, and when a file was read
      ordered_ =
          std::make_shared<const SparsePlaces>(places, linear.out_features(), linear.in_features());
      ordered_of_ = places;
    }
    return add(inner(x), sparse_linear(x, values_.var, ordered_));
  }
  void visit(const ParameterVisitor& f) override { f(values_); }
  void visit_frozen(const ParameterVisitor& f) { f(places_); }

 private:
  Parameter values_, places_;
  std::shared_ptr<const SparsePlaces> ordered_;
  Tensor ordered_of_;
};

class Shira : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;
  void visit_frozen(const ParameterVisitor& f) override {
    LinearMethod::visit_frozen(f);
    for (const auto& part : parts_) part->visit_frozen(f);
  }

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = settings_.integer("r", 1, 1 << 16), count = r * (place.in + place.out);
    require(count <= place.in * place.out && place.in * place.out < UINT32_MAX,
            "{}: r {} asks for {} values, but '{}' has {}", settings_.source(), r, count,
            place.module, place.in * place.out);
    const auto part = std::make_shared<ShiraPart>(place, count, starts_neutral(settings_));
    parts_.push_back(part);
    return part;
  }

 private:
  std::vector<std::shared_ptr<ShiraPart>> parts_;
};

}  // namespace

MethodInfo shira_info() {
  return {"shira",
          "SHIRA",
          "a few values of each weight, anywhere",
          "Bhardwaj et al. 2024, arXiv:2406.13175",
          1e-3,
          with_target_options({{"rank", "r", "32", "as many values as LoRA of this rank has"},
                               {"", "mask_type", "\"random\"", ""},
                               {"", "random_seed", "null", ""},
                               {"", "init_weights", "true", ""}},
                              false),
          make_method<Shira>};
}

}  // namespace lk
