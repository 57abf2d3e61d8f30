// VeRA: Vector-based Random Matrix Adaptation (Kopiczko et al. 2023, arXiv:2310.11454), eq. 2:
//   h = W0 x + Λ_b B Λ_d A x       A [r, in], B [out, r] frozen, random and shared by all layers;
//                                  vectors Λ_b [out] = 0 and Λ_d [r] = d_initial train
// Trained: r + out numbers for each layer. A layer takes as many columns of A and rows of B as it
// has. The file holds A and B (save_projection), or HF PEFT's random numbers make them again from
// projection_prng_key.
#include "peft/vera.h"

#include <cmath>

#include "autograd/ops.h"
#include "peft/linear_method.h"
#include "peft/torch_random.h"

namespace lk {
namespace {

struct Projection {
  Parameter a, b;  // [r, most in], [most out, r]
};

class VeraPart : public LinearAdapter {
 public:
  VeraPart(Place& place, int64_t r, double d_initial, float dropout, Projection& shared)
      : d_(place.parameter("vera_lambda_d", place.constant({r}, d_initial))),
        b_(place.parameter("vera_lambda_b", place.constant({place.out}, 0))),
        dropout_(dropout),
        shared_(shared),
        model_(place.model) {}
  Var forward(const Linear& linear, const Var& x, const Inner& inner) override {
    shared_.a.to(x.value().device());
    shared_.b.to(x.value().device());
    const int64_t in = linear.in_features(), rest = shared_.a.shape[1] - in;
    const Var a = rest > 0 ? split_columns(shared_.a.var, {in, rest})[0] : shared_.a.var;
    const Var b = shared_.b.var.value().rows(0, linear.out_features());
    const Var u =
        mul_row(lk::linear(dropout(x, model_.training ? dropout_ : 0.0f), a), d_.var);  // [T, r]
    return add(inner(x), mul_row(lk::linear(u, b), b_.var));
  }
  void visit(const ParameterVisitor& f) override { f(d_), f(b_); }

 private:
  Parameter d_, b_;
  float dropout_;
  Projection& shared_;
  const Model& model_;
};

class Vera : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;
  void visit_frozen(const ParameterVisitor& f) override {
    LinearMethod::visit_frozen(f);
    if (!settings_.boolean("save_projection")) return;
    f(shared_.a), f(shared_.b);
  }

 protected:
  void begin(Model& model, const Targets& targets) override {
    int64_t in = 0, out = 0;
    const int64_t r = settings_.integer("r", 1, 1 << 20);
    for (const Linear* l : targets.linears) {
      in = std::max(in, l->in_features());
      out = std::max(out, l->out_features());
    }
    TorchRandom random(
        static_cast<uint32_t>(settings_.integer("projection_prng_key", 0, UINT32_MAX)));
    const DType dtype = model.compute_dtype() == DType::f64 ? DType::f64 : DType::f32;
    const auto make = [&](const std::string& name, const Shape& shape) {
      Parameter p("base_model." + name, shape);  // Kaiming-uniform with gain sqrt(2)
      p.set(random.uniform(shape, std::sqrt(6.0 / static_cast<double>(shape[1]))).to(dtype));
      return p;
    };
    shared_.a = make("vera_A", {r, in});
    shared_.b = make("vera_B", {out, r});
  }
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    return std::make_shared<VeraPart>(
        place, settings_.integer("r", 1, 1 << 20), settings_.number("d_initial", -1e6, 1e6),
        static_cast<float>(settings_.number("vera_dropout", 0, 0.99)), shared_);
  }

 private:
  Projection shared_;
};

}  // namespace

MethodInfo vera_info() {
  return {"vera",
          "VERA",
          "vectors that scale shared random matrices",
          "Kopiczko et al. 2023, arXiv:2310.11454",
          4e-3,
          with_target_options(
              {{"rank", "r", "256", "rows of the shared A"},
               {"dropout", "vera_dropout", "0.0", "dropout on the input of A"},
               {"d-initial", "d_initial", "0.1", "where the vector on A starts"},
               {"projection-key", "projection_prng_key", "0", "seed of A and B"},
               {"save-projection", "save_projection", "true", "keep A and B in the file"},
               {"", "init_weights", "true", ""}}),
          make_method<Vera>};
}

}  // namespace lk
