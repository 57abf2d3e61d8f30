// VB-LoRA: Extreme Parameter Efficient Fine-Tuning with Vector Banks (Li et al. 2024,
// arXiv:2405.15179), eq. 3 and 4:
//   h = W0 x + B A x      A [r, in] and B [out, r] are composed of sub-vectors of length v, each
//   a mixture of the k likeliest of the h vectors of one bank:  Σ_{s in top k} softmax(σ_s) β_s
// Trained: the bank, h v, once for all layers, and a logit for each vector and sub-vector:
// r (in + out) h / v for each layer.
#include "peft/vblora.h"

#include <algorithm>
#include <numeric>

#include "autograd/ops.h"
#include "peft/linear_method.h"

namespace lk {
namespace {

// logits [n, h], bank [h, v] -> [n, v]
Var compose(const Var& logits, const Var& bank, int64_t k) {
  const int64_t n = logits.dim(0), h = logits.dim(1);
  const std::vector<float> values = logits.value().to_vector<float>();
  std::vector<int32_t> chosen, back(static_cast<size_t>(n * h), -1);
  std::vector<int32_t> order(static_cast<size_t>(h));
  for (int64_t i = 0; i < n; ++i) {
    std::iota(order.begin(), order.end(), static_cast<int32_t>(i * h));
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int32_t a, int32_t b) {
      return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
    });
    for (int64_t j = 0; j < k; ++j) {
      const int32_t at = order[static_cast<size_t>(j)];
      back[static_cast<size_t>(at)] = static_cast<int32_t>(chosen.size());
      chosen.push_back(at);
    }
  }
  const auto places = [](std::vector<int32_t>& index) {
    return std::make_shared<const Places>(std::move(index));
  };
  const Var weights = softmax(take(logits, places(chosen), {n, k}));
  return linear(take(weights, places(back), {n, h}), bank, {}, true);
}

class VbLoraPart : public LinearAdapter {
 public:
  VbLoraPart(Place& place, int64_t r, int64_t v, int64_t k, double std, float dropout,
             Parameter& bank)
      : a_(place.parameter("vblora_logits_A", place.normal({r, place.in / v, bank.shape[0]}, std))),
        b_(place.parameter("vblora_logits_B",
                           place.normal({place.out / v, r, bank.shape[0]}, std))),
        bank_(bank),
        k_(k),
        dropout_(dropout),
        model_(place.model) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    const int64_t r = a_.shape[0], h = bank_.shape[0], v = bank_.shape[1];
    const Var a = view(compose(view(a_.var, {a_.var.value().numel() / h, h}), bank_.var, k_),
                       {r, linear.in_features()});
    const Var parts = compose(view(b_.var, {b_.var.value().numel() / h, h}), bank_.var, k_);
    // [out / v, r, v] -> [out / v, v, r]
    const Var b =
        view(transpose(view(parts, {linear.out_features() / v, r, v})), {linear.out_features(), r});
    return low_rank_add(inner(x), dropout(x, model_.training ? dropout_ : 0.0f), a, b, 1.0f);
  }
  void visit(const ParameterVisitor& f) override { f(a_), f(b_); }

 private:
  Parameter a_, b_;
  Parameter& bank_;
  int64_t k_;
  float dropout_;
  const Model& model_;
};

class VbLora : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;
  void visit(const ParameterVisitor& f) override {
    LinearMethod::visit(f);
    f(bank_);
  }

  void attach(Model& model, uint64_t seed) override {
    const Shape shape{settings_.integer("num_vectors", 1, 1 << 16),
                      settings_.integer("vector_length", 1, 1 << 24)};
    Random random(seed, 0);
    const double bound = settings_.number("init_vector_bank_bound", 0, 1e6);
    Tensor values = Tensor::empty(shape, DType::f64);
    for (double& x : values.span<double>()) x = (2.0 * random.uniform53() - 1.0) * bound;
    bank_ = Parameter("base_model.vblora_vector_bank", shape);
    bank_.set(values.to(model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32));
    LinearMethod::attach(model, seed);
  }

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t v = bank_.shape[1], k = settings_.integer("topk", 1, bank_.shape[0]);
    require(place.in % v == 0 && place.out % v == 0,
            "{}: vector_length {} divides not both dimensions of '{}', [{}, {}]",
            settings_.source(), v, place.module, place.out, place.in);
    return std::make_shared<VbLoraPart>(
        place, rank_of(settings_, "r", place), v, k, settings_.number("init_logits_std", 0, 1e6),
        static_cast<float>(settings_.number("vblora_dropout", 0, 0.99)), bank_);
  }

 private:
  Parameter bank_;
};

}  // namespace

MethodInfo vblora_info() {
  return {"vblora",
          "VBLORA",
          "LoRA composed of the vectors of one bank",
          "Li et al. 2024, arXiv:2405.15179",
          1e-3,
          with_target_options(
              {{"rank", "r", "4", "rank of A and B"},
               {"bank-size", "num_vectors", "256", "vectors of the bank"},
               {"vector-length", "vector_length", "256", "their length; divides all dimensions"},
               {"topk", "topk", "2", "vectors mixed into a sub-vector"},
               {"dropout", "vblora_dropout", "0.0", "dropout on the input of A"},
               {"", "init_vector_bank_bound", "0.02", ""},
               {"", "init_logits_std", "0.1", ""}}),
          make_method<VbLora>};
}

}  // namespace lk
