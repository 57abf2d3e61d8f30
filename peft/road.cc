// RoAd: 3-in-1: 2D Rotary Adaptation for Efficient Finetuning, Efficient Batching and Composability
// (Liao and Monz 2024, arXiv:2409.00119), eq. 4:
//   h' = f * h + g * rot(h)      h = W0 x + b; in each group of G outputs (h1, h2), rot is (-h2,
//   h1) f = α cos θ, g = α sin θ     θ from 0, α from 1: h' starts at h
// variant road_1: θ and α are shared by the two halves of a group (out / 2 each); road_2: out each;
// road_4: f and g have their own (2 out each). Trained: out, 2 out or 4 out numbers for each layer.
#include "peft/road.h"

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class RoadPart : public LinearAdapter {
 public:
  RoadPart(Place& place, int64_t kind, int64_t group, bool neutral) : group_(group) {
    const int64_t size = place.out * kind / 2;
    theta_ = place.parameter("road_theta",
                             neutral ? place.constant({size}, 0) : place.normal({size}, 0.5));
    alpha_ = place.parameter("road_alpha", place.constant({size}, 1));
    std::vector<int32_t> f, g;
    for (int64_t o = 0; o < place.out; ++o) {
      const int64_t which = o / group, at = o % group;
      const auto put = [&](int64_t i, int64_t j) {
        f.push_back(static_cast<int32_t>(i));
        g.push_back(static_cast<int32_t>(j));
      };
      if (kind == 1)
        put(which * (group / 2) + at % (group / 2), which * (group / 2) + at % (group / 2));
      else if (kind == 2)
        put(o, o);
      else
        put(2 * which * group + at, (2 * which + 1) * group + at);
    }
    f_ = std::make_shared<const Places>(std::move(f));
    g_ = std::make_shared<const Places>(std::move(g));
  }
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const Var h = inner(x);
    const int64_t out = linear.out_features(), half = group_ / 2;
    const std::vector<Var> halves =
        split_columns(view(h, {h.value().numel() / group_, group_}), {half, half});
    const Var rotated = view(concat_columns({scale(halves[1], -1.0f), halves[0]}), h.shape());
    const Var f = take(mul(alpha_.var, cos(theta_.var)), f_, {out}),
              g = take(mul(alpha_.var, sin(theta_.var)), g_, {out});
    return add(mul_row(h, f), mul_row(rotated, g));
  }
  void visit(const ParameterVisitor& f) override { f(theta_), f(alpha_); }

 private:
  Parameter theta_, alpha_;
  int64_t group_;
  std::shared_ptr<const Places> f_, g_;  // which θ and α each output takes
};

class Road : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const std::string variant = settings_.text("variant");
    require(variant == "road_1" || variant == "road_2" || variant == "road_4",
            "{}: 'variant' is '{}'; expected road_1, road_2 or road_4", settings_.source(),
            variant);
    const int64_t group = settings_.integer("group_size", 2, 1 << 20);
    require(group % 2 == 0 && place.out % group == 0,
            "{}: group_size {} must be even and divide the {} outputs of '{}'", settings_.source(),
            group, place.out, place.module);
    return std::make_shared<RoadPart>(place, variant.back() - '0', group,
                                      starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo road_info() {
  return {
      "road",
      "ROAD",
      "rotates and scales pairs of outputs",
      "Liao and Monz 2024, arXiv:2409.00119",
      3e-3,
      with_target_options({{"road-variant", "variant", "\"road_1\"", "road_1, road_2 or road_4"},
                           {"group-size", "group_size", "64", "outputs whose halves form pairs"},
                           {"", "init_weights", "true", ""}},
                          false),
      make_method<Road>};
}

}  // namespace lk
