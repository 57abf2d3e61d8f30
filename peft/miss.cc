// MiSS: Balancing LoRA Performance and Efficiency with Simple Shard Sharing (Kang and Yin 2024,
// arXiv:2409.15371):
//   h = W0 x + D^T s(x)      s(x)_k = Σ_j x_(j r + k): the input's chunks of r added up; D [r, out]
//   = 0
// With init_weights "mini", D is [r, mini_r], repeated along the outputs. Trained: r out (or r
// mini_r) for each layer.
#include "peft/miss.h"

#include "autograd/ops.h"
#include "peft/device_copies.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

class MissPart : public LinearAdapter {
 public:
  MissPart(Place& place, int64_t r, int64_t width, float dropout, bool neutral)
      : d_(place.parameter("miss_block", neutral ? place.constant({r, width}, 0)
                                                 : place.uniform({r, width}, 1.0))),
        sums_(Tensor::zeros({r, place.in}, place.dtype())),
        dropout_(dropout),
        model_(place.model) {
    visit_float(sums_.dtype(), [&](auto type) {
      using T = decltype(type);
      for (int64_t i = 0; i < place.in; ++i)
        sums_.data<T>()[(i % r) * place.in + i] = static_cast<T>(1.0f);
    });
    if (width == place.out) return;
    std::vector<int32_t> repeat;
    for (int64_t o = 0; o < place.out; ++o)
      for (int64_t k = 0; k < r; ++k) repeat.push_back(static_cast<int32_t>(k * width + o % width));
    repeat_ = std::make_shared<const Places>(std::move(repeat));
  }
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const Var b = repeat_ ? take(d_.var, repeat_, {linear.out_features(), d_.shape[0]})
                          : transpose(d_.var);  // [out, r]
    return low_rank_add(inner(x), dropout(x, model_.training ? dropout_ : 0.0f),
                        copies_.of(sums_, x.value().device()), b, 1.0f);
  }
  void visit(const ParameterVisitor& f) override { f(d_); }

 private:
  Parameter d_;
  Tensor sums_;  // [r, in] of zeros and ones
  DeviceCopies copies_;
  std::shared_ptr<const Places> repeat_;
  float dropout_;
  const Model& model_;
};

class Miss : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const bool mini = settings_.is_text("init_weights") && settings_.text("init_weights") == "mini";
    if (!mini && settings_.is_text("init_weights"))
      fail(
          "{}: init_weights is '{}'; expected true, false or mini (bat, which multiplies the "
          "weight "
          "itself, is not supported)",
          settings_.source(), settings_.text("init_weights"));
    const int64_t r = settings_.integer("r", 1, place.in);
    const int64_t width = mini ? settings_.integer("mini_r", 1, place.out) : place.out;
    require(place.out % width == 0, "{}: mini_r {} does not divide the {} outputs of '{}'",
            settings_.source(), width, place.out, place.module);
    return std::make_shared<MissPart>(place, r, width,
                                      static_cast<float>(settings_.number("miss_dropout", 0, 0.99)),
                                      mini || starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo miss_info() {
  return {"miss",
          "MISS",
          "shards shared along the inputs",
          "Kang and Yin 2024, arXiv:2409.15371",
          1e-3,
          with_target_options({{"rank", "r", "64", "inputs of a shard"},
                               {"mini-rank", "mini_r", "1", "with init mini: outputs of a shard"},
                               {"dropout", "miss_dropout", "0.0", "dropout on the input"},
                               {"init", "init_weights", "true", "true, false or mini"}}),
          make_method<Miss>};
}

}  // namespace lk
