// HRA: Bridging The Gap between Low-rank and Orthogonal Adaptation via Householder Reflection
// Adaptation (Yuan et al. 2024, arXiv:2405.17484), eq. 4:
//   h = W0 H_1 H_2 .. H_r x + b        H_i = I - 2 u_i u_i^T / ||u_i||^2, U = (u_1 .. u_r) [in, r]
// so that the input is reflected, r times, not the weight. Columns start in equal pairs, whose two
// reflections cancel. With apply_GS, U is made orthonormal first (Gram and Schmidt): I - 2 U U^T.
// Trained: r in for each layer.
#include "peft/hra.h"

#include <cmath>

#include "autograd/ops.h"
#include "peft/linear_method.h"
#include "peft/rotation.h"

namespace lk {
namespace {

// u / ||u||, [1, n]
Var unit(const Var& u) {
  const Var gain =
      Tensor::full({u.dim(1)}, u.dtype(), 1.0 / std::sqrt(static_cast<double>(u.dim(1))))
          .to(u.value().device());
  return rms_norm(u, gain, 0.0f);
}

class HraPart : public LinearAdapter {
 public:
  HraPart(Place& place, int64_t r, bool orthonormal, bool neutral) : orthonormal_(orthonormal) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(neutral && r % 2 == 0 ? r / 2 : r));
    Tensor u = place.uniform({place.in, r}, bound);
    if (neutral && r % 2 == 0)
      visit_float(u.dtype(), [&](auto type) {
        using T = decltype(type);
        for (int64_t i = 0; i < u.numel(); i += 2) u.data<T>()[i + 1] = u.data<T>()[i];
      });
    u_ = place.parameter("hra_u", u);
  }
  Var forward(const Linear&, const Var& x, const Inner& inner) override {
    const Var rows = transpose(u_.var);  // [r, in]
    const int64_t r = rows.dim(0), in = rows.dim(1);
    if (orthonormal_) {
      std::vector<Var> q;
      for (int64_t i = 0; i < r; ++i) {
        Var u = row_of(rows, i);
        for (const Var& earlier : q)
          u = add(u, scale(linear(linear(u, earlier), earlier, {}, true), -1.0f));
        q.push_back(unit(u));
      }
      const Var all = concat_rows(q);
      return inner(low_rank_add(x, x, all, transpose(all), -2.0f));
    }
    Var z = x;
    for (int64_t i = r - 1; i >= 0; --i) {
      const Var u = unit(row_of(rows, i));
      z = low_rank_add(z, z, u, view(u, {in, 1}), -2.0f);
    }
    return inner(z);
  }
  void visit(const ParameterVisitor& f) override { f(u_); }

 private:
  Parameter u_;
  bool orthonormal_;
};

class Hra : public LinearMethod {
 public:
  using LinearMethod::LinearMethod;

 protected:
  std::shared_ptr<LinearAdapter> make_part(Place& place) override {
    const int64_t r = settings_.integer("r", 1, 1 << 16);
    require(r <= place.in, "{}: r is {}, above the {} inputs of '{}'", settings_.source(), r,
            place.in, place.module);
    return std::make_shared<HraPart>(place, r, settings_.boolean("apply_GS"),
                                     starts_neutral(settings_));
  }
};

}  // namespace

MethodInfo hra_info() {
  return {
      "hra",
      "HRA",
      "reflects the inputs of frozen layers",
      "Yuan et al. 2024, arXiv:2405.17484",
      1e-3,
      with_target_options({{"rank", "r", "8", "reflections of each layer; even to start neutral"},
                           {"gram-schmidt", "apply_GS", "false", "make the directions orthonormal"},
                           {"", "init_weights", "true", ""}}),
      make_method<Hra>};
}

}  // namespace lk
