// Adafactor (Shazeer and Stern 2018), without relative step and momentum, as transformers.Adafactor
// runs with relative_step = False: a matrix keeps the means of its squared gradient by row and by
// column.
#include <algorithm>
#include <cmath>

#include "engine/kernels/adafactor.h"
#include "engine/kernels/square_sum.h"
#include "engine/kernels/sum.h"
#include "nn/optim/kinds.h"

namespace lk {
namespace {

constexpr double kEpsScale = 1e-3;

// A sum of squares or of numbers, on the host.
template <class F>
double number(Device device, F&& f) {
  const Tensor out = Tensor::zeros({1}, DType::f64, device);
  f(out);
  const KernelScope scope("adafactor", Device::cpu);
  return out.item();
}

// [rows] of a matrix, [cols] of it, all of a vector; empty where not kept.
std::vector<Shape> state_shapes(const std::vector<Var>& params, int which) {
  std::vector<Shape> out;
  for (const Var& p : params) {
    const bool matrix = p.shape().rank() >= 2;
    if (which == 2)
      out.push_back(matrix ? Shape{0} : p.shape());
    else
      out.push_back(matrix ? Shape{which == 0 ? p.value().numel() / p.dim(-1) : p.dim(-1)}
                           : Shape{0});
  }
  return out;
}

class Adafactor : public Optimizer {
 public:
  Adafactor(const OptimizerConfig& config, std::vector<ParamGroup> groups)
      : Optimizer(std::move(groups)),
        config_(config),
        row_("exp_avg_sq_row", names(), state_shapes(all(), 0),
             std::vector<DType>(all().size(), DType::f32), device_of(all())),
        col_("exp_avg_sq_col", names(), state_shapes(all(), 1),
             std::vector<DType>(all().size(), DType::f32), device_of(all())),
        full_("exp_avg_sq", names(), state_shapes(all(), 2),
              std::vector<DType>(all().size(), DType::f32), device_of(all())) {}
  void visit_state(const std::function<void(const std::string&, Tensor&)>& f) override {
    row_.visit(f);
    col_.visit(f);
    full_.visit(f);
  }

 protected:
  void update(size_t index, const Var& p, double lr, double weight_decay) override {
    const int64_t n = p.value().numel();
    const Device device = p.value().device();
    const double beta2 = 1.0 - std::pow(static_cast<double>(steps), config_.decay_rate);
    const CategoryScope workspace(Category::workspace);
    const Tensor u = Tensor::empty(p.shape(), DType::f64, device);
    on_master("adafactor", p, [&](auto isa, auto type) {
      using A = decltype(type);
      const A* g = p.grad().template data<A>();
      const auto root_mean_square = [&](const Tensor& x, auto t) {
        using X = decltype(t);
        const double total = number(device, [&](const Tensor& out) {
          square_sum(isa, out.data<double>(), static_cast<const X*>(x.data<X>()), n);
        });
        return std::sqrt(total / static_cast<double>(std::max<int64_t>(n, 1)));
      };
      if (p.shape().rank() >= 2) {
        const Tensor &row = row_[index], &col = col_[index];
        const int64_t rows = row.numel(), cols = col.numel();
        adafactor_means(isa, row.data<float>(), col.data<float>(), g, rows, cols, beta2);
        const double total = number(device, [&](const Tensor& out) {
          sum(isa, out.data<double>(), static_cast<const float*>(row.data<float>()), rows);
        });
        adafactor_factored(isa, u.data<double>(), g, row.data<float>(), col.data<float>(),
                           total / static_cast<double>(rows), rows, cols);
      } else {
        adafactor_whole(isa, u.data<double>(), full_[index].template data<float>(), g, n, beta2);
      }
      const double shrink = std::max(1.0, root_mean_square(u, 0.0) / config_.clip_threshold);
      const double rate =
          config_.scale_parameter ? lr * std::max(kEpsScale, root_mean_square(p.value(), A{})) : lr;
      adafactor_apply(isa, p.value().template data<A>(), u.data<double>(), n,
                      1 - weight_decay * rate, rate / shrink);
    });
  }

 private:
  OptimizerConfig config_;
  StateList row_, col_, full_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adafactor(const OptimizerConfig& c, std::vector<ParamGroup> g) {
  return std::make_unique<Adafactor>(c, std::move(g));
}

}  // namespace lk
